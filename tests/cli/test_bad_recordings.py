"""Damaged recordings and label files through the command line: one line, and nothing lost or half-made."""

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from clef.runtime.lease import leased
from tests.cli.conftest import clef

PARAMS = """
dataset: {adapter: demo, name: tiny}
render: {subjects: 2, activities: 2, size: 160, seconds: [0.8, 1.0]}
ingest: {max_bad: 0.3}
seeds: [0]
device: cpu
threads: 1
crop: {detector: none, size: 40}
folds: {number: 2}
model: {name: clef-tiny, image_size: 32}
"""
SUBJECTS = ("F001", "M001")
LABELS = "raw/AUCoding/AU_OCC/F001_T2.csv"


@dataclass(frozen=True)
class Ran:
    code: int
    error: str


@dataclass(frozen=True)
class Tree:
    folder: Path

    def clef(self, *arguments: str) -> Ran:
        ran = clef(*arguments, folder=self.folder)
        return Ran(ran.returncode, ran.stderr)

    @property
    def crops(self) -> str:
        (folder,) = (path.name for path in (self.folder / "made").iterdir() if path.is_dir())
        return folder

    def ingest(self) -> Ran:
        (self.folder / "made" / "sequences.parquet").unlink(missing_ok=True)
        return self.clef("ingest", "tiny", "--raw", "raw", "--out", "made/sequences.parquet")

    def crop(self, subject: str, crops: str, *options: str) -> Ran:
        out = f"made/{crops}/{subject}.arrow"
        return self.clef("crop", "tiny", "--crop", crops, "--raw", "raw", "--shard", subject, "--out", out, *options)

    def manifest(self) -> Ran:
        (self.folder / "made" / "manifest.parquet").unlink(missing_ok=True)
        places = ["--crop", self.crops, "--crops", f"made/{self.crops}", "--raw", "raw"]
        places += ["--sequences", "made/sequences.parquet", "--out", "made/manifest.parquet"]
        return self.clef("manifest", "tiny", *places)

    def video(self, name: str) -> Path:
        return self.folder / "raw" / "videos" / name[:4] / f"{name[5:]}.mp4"

    def run(self) -> str:
        """Every step up to the manifest after a change of F001's files; what they said."""
        said = ""
        for step in (self.ingest, lambda: self.crop("F001", self.crops), self.manifest):
            ran = step()
            assert ran.code == 0, ran.error
            said += ran.error
        return said

    def table(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "made" / "manifest.parquet").set_index(["sequence", "frame"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Tree:
    """A rendered set with its manifest."""
    tree = Tree(tmp_path_factory.mktemp("whole"))
    (tree.folder / "params").mkdir()
    (tree.folder / "params" / "tiny.yaml").write_text(PARAMS)
    assert tree.clef("render-demo", "tiny", "--out", "raw").code == 0
    crops = clef("params", "tiny", folder=tree.folder).stdout.splitlines()[0].removeprefix("# crops: ")
    assert tree.ingest().code == 0
    for subject in SUBJECTS:
        assert tree.crop(subject, crops).code == 0
    assert tree.manifest().code == 0
    return tree


@pytest.fixture
def tree(whole, tmp_path) -> Tree:
    """A copy to break."""
    shutil.copytree(whole.folder, tmp_path / "tree")
    return Tree(tmp_path / "tree")


def one_line(ran: Ran, *parts: str) -> None:
    assert ran.code == 1
    line = ran.error.splitlines()[-1]
    for part in ("error: ", *parts):
        assert part in line, ran.error
    assert "Traceback" not in ran.error


def allow(tree: Tree, max_bad: float) -> None:
    path = tree.folder / "params" / "tiny.yaml"
    path.write_text(path.read_text().replace("max_bad: 0.3", f"max_bad: {max_bad}"))


def unmade(tree: Tree) -> None:
    """Nothing that looks finished, nothing temporary."""
    assert not (tree.folder / "made" / "sequences.parquet").exists()
    assert not list((tree.folder / "made").rglob(".*"))


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def encode(path: Path, pictures: Iterable[np.ndarray], pixels: str = "yuv420p", **changes) -> None:
    """Write pictures anew.

    Args:
        path: The file.
        pictures: RGB.
        pixels: Pixel format.
        changes: `times` of presentation in frames, `rotation` of the display matrix, `index` last or first.
    """
    options = {"movflags": "+faststart"} if changes.get("index") == "first" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": "log-level=0"})
        pictures = list(pictures)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        if "rotation" in changes:
            stream.set_display_rotation(changes["rotation"])
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = changes["times"][number] if "times" in changes else number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for number in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def cut_off_before_its_index(path: Path) -> None:
    encode(path, frames_of(path))
    path.write_bytes(path.read_bytes()[:-600])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("Dear diary")


@pytest.mark.parametrize(
    "damages",
    [
        {"F001_T1": (empty, "the file is empty"), "F001_T2": (text, "Invalid data found when processing input")},
        {
            "F001_T1": (sound_only, "holds no video stream"),
            "F001_T2": (cut_off_before_its_index, "expected a video file"),
        },
    ],
    ids=["empty and text", "sound only and cut off"],
)
def test_a_video_that_cannot_be_opened_costs_its_own_frames(tree, whole, damages):
    allow(tree, 0.9)
    for name, (damage, _) in damages.items():
        damage(tree.video(name))
    said = tree.run()
    before, after = whole.table(), tree.table()
    for name, (_, problem) in damages.items():
        (line,) = [line for line in said.splitlines() if f"videos/F001/{name[-2:]}.mp4 (" in line]
        assert problem in line
        assert set(after.loc[name]["status"]) == {"undecodable"}
        assert after.loc[name]["labelled"].sum() == before.loc[name]["labelled"].sum() > 0
        before, after = (table.drop(index=name, level="sequence") for table in (before, after))
    pd.testing.assert_frame_equal(after, before)


def test_a_broken_frame_in_the_middle_costs_itself(tree, whole):
    path = tree.video("F001_T2")
    with av.open(str(path), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    middle = packets[len(packets) // 2]
    content = bytearray(path.read_bytes())
    content[middle.pos : middle.pos + middle.size] = np.random.default_rng(0).bytes(middle.size)
    path.write_bytes(content)
    said = tree.run()
    assert "F001_T2: " in said
    before, after = whole.table(), tree.table()
    assert list(after.index) == list(before.index)
    lost = after[(after["status"] == "undecodable") & (before["status"] != "undecodable")]
    assert set(lost.reset_index()["sequence"]) == {"F001_T2"}
    assert 1 <= len(lost) < len(after.loc["F001_T2"])


def test_unusual_videos_keep_their_frames_and_labels(tree, whole):
    """A variable rate; rotated, of odd size and four times the colours: the n-th picture is the n-th label's."""
    uneven, turned = tree.video("F001_T1"), tree.video("F001_T2")
    pictures = frames_of(uneven)
    encode(uneven, pictures, times=[2 * number + (number % 3 == 0) for number in range(len(pictures))])
    encode(turned, [picture[:, 5:] for picture in frames_of(turned)], pixels="yuv444p", rotation=90)
    tree.run()
    pd.testing.assert_frame_equal(tree.table(), whole.table())
    sizes = pd.read_parquet(tree.folder / "made" / "sequences.parquet").set_index("sequence")[["width", "height"]]
    assert sizes.loc["F001_T1"].tolist() == [160, 160]
    assert sizes.loc["F001_T2"].tolist() == [160, 155]


def test_more_broken_than_allowed_stops_with_the_list_and_goes_on_when_mended(tree):
    sound = (tree.video("F001_T2")).read_bytes()
    for activity in ("T1", "T2"):
        empty(tree.video(f"M001_{activity}"))
    one_line(
        tree.ingest(),
        "raw: 2 of 4 recordings missing or unreadable, ingest.max_bad allows 1: videos/M001/T1.mp4 (",
        "videos/M001/T2.mp4 (cannot be opened (the file is empty)",
    )
    unmade(tree)
    tree.video("M001_T1").write_bytes(sound)
    assert tree.ingest().code == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "\n".join(line.rsplit(",", 90)[0] for line in text.splitlines()), "no column 10, 12, 14, 15, 17"),
        (lambda text: text + text.splitlines()[-1] + "\n", "appears twice; expected one row per frame"),
        (lambda text: text + "999" + text.splitlines()[-1] + "\n", "F001_T2 has a label for frame 999"),
        (lambda text: re.sub(r"(\n\d+),[019],", r"\1,7,", text), "action unit 1: code 7; expected 0, 1 or 9"),
    ],
)
def test_labels_that_do_not_fit_are_told_before_anything_is_cropped(tree, change, message):
    path = tree.folder / LABELS
    path.write_text(change(path.read_text()))
    one_line(tree.ingest(), "F001_T2", message)
    unmade(tree)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tree, whole):
    path = tree.folder / LABELS
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    tree.run()
    pd.testing.assert_frame_equal(tree.table(), whole.table())


def test_labels_and_recordings_without_each_other_are_named(tree):
    (tree.folder / LABELS).rename((tree.folder / LABELS).with_name("F009_T2.csv"))
    said = tree.run()
    assert "raw/AUCoding/AU_OCC/F009_T2.csv: belongs to no recording of tiny; it is not used" in said
    assert "without labels: F001_T2" in said
    assert not tree.table().loc["F001_T2"]["labelled"].any()


def test_names_with_spaces_and_letters_of_any_language_are_paths_like_others(tree):
    raw = tree.folder / "Größe 1, naïve 数据"
    (tree.folder / "raw").rename(raw)
    ran = tree.clef("ingest", "tiny", "--raw", str(raw), "--out", "made/neu/sequences.parquet")
    assert ran.code == 0, ran.error


def test_an_output_that_another_process_works_on_is_left_to_it(tree):
    shard = tree.folder / "made" / tree.crops / "F001.arrow"
    before = shard.read_bytes()
    with leased(shard):
        ran = tree.crop("F001", tree.crops)
    one_line(ran, f"process {os.getpid()} on ", " is already at work on it (last heartbeat ", "; wait for it or end it")
    assert shard.read_bytes() == before


def test_crops_that_fail_alike_twice_are_not_tried_a_third_time(tree):
    first, second, third, anew = (tree.crop("F009", tree.crops, "--attempt", number) for number in "1231")
    for ran in (first, second, anew):
        assert ran.code == 1
        assert "no shard F009" in ran.error
    one_line(third, "not tried again, since it failed 2 times with: ClefError: ", "no shard F009")
    assert tree.crop("F001", tree.crops, "--attempt", "3").code == 0
