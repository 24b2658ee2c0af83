"""Damaged recordings and label files through the commands: one line each, no lost frames, no partial files."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Ran, clef

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
RAW = "Größe 1, naïve 数据"
LABELS = f"{RAW}/AUCoding/AU_OCC/F001_T2.csv"


@dataclass
class Steps:
    """The steps up to the manifest, in one folder."""

    run: Callable[..., Ran]
    folder: Path
    crops: str

    def ingest(self) -> Ran:
        (self.folder / "made" / "sequences.parquet").unlink(missing_ok=True)
        return self.run("ingest", "tiny", "--raw", RAW, "--out", "made/sequences.parquet", folder=self.folder)

    def crop(self, subject: str, *options: str) -> Ran:
        out = f"made/{self.crops}/{subject}.arrow"
        paths = ["--raw", RAW, "--shard", subject, "--out", out]
        return self.run("crop", "tiny", "--crop", self.crops, *paths, *options, folder=self.folder)

    def manifest(self) -> Ran:
        (self.folder / "made" / "manifest.parquet").unlink(missing_ok=True)
        paths = ["--sequences", "made/sequences.parquet", "--labels", "made/labels.parquet"]
        paths += ["--crops", f"made/{self.crops}", "--out", "made/manifest.parquet"]
        return self.run("manifest", "tiny", "--crop", self.crops, *paths, folder=self.folder)

    def video(self, name: str) -> Path:
        return self.folder / RAW / "videos" / name[:4] / f"{name[5:]}.mp4"

    def update(self) -> None:
        """Run every step after a change of F001's files."""
        for ran in (self.ingest(), self.crop("F001"), self.manifest()):
            assert ran.returncode == 0, ran.stderr

    def table(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "made" / "manifest.parquet").set_index(["sequence", "frame"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Steps:
    """A rendered set with its manifest."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "params").mkdir()
    (folder / "params" / "tiny.yaml").write_text(PARAMS)
    crops = clef("params", "tiny", folder=folder).stdout.splitlines()[0].removeprefix("# crops: ")
    steps = Steps(clef, folder, crops)
    rendered = clef("render-demo", "tiny", "--out", RAW, folder=folder)
    for ran in (rendered, steps.ingest(), steps.crop("F001"), steps.crop("M001"), steps.manifest()):
        assert ran.returncode == 0, ran.stderr
    return steps


@pytest.fixture
def steps(whole, tmp_path, clef_here) -> Steps:
    """A copy to damage."""
    shutil.copytree(whole.folder, tmp_path / "copy")
    return Steps(clef_here, tmp_path / "copy", whole.crops)


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def encode(path: Path, pictures: Iterable[np.ndarray], pixels: str = "yuv420p", **changes) -> None:
    """Write RGB pictures as a video, with presentation `times` in frames and `rotation` of the display if given."""
    with av.open(str(path), "w") as container:
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


def cut_off_before_its_index(path: Path) -> None:
    encode(path, frames_of(path))
    path.write_bytes(path.read_bytes()[:-600])


def test_video_that_cannot_be_opened_loses_only_its_own_frames(steps, whole, caplog):
    damages = [
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (cut_off_before_its_index, "expected a video file"),
    ]
    params = steps.folder / "params" / "tiny.yaml"
    params.write_text(params.read_text().replace("max_bad: 0.3", "max_bad: 0.9"))
    names = ("F001_T1", "F001_T2")
    for name, (damage, _) in zip(names, damages, strict=True):
        damage(steps.video(name))
    steps.update()
    before, after = whole.table(), steps.table()
    for name, (_, problem) in zip(names, damages, strict=True):
        assert [line for line in caplog.messages if f"videos/F001/{name[-2:]}.mp4 (" in line and problem in line]
        assert set(after.loc[name]["status"]) == {"undecodable"}
        assert after.loc[name]["labelled"].sum() == before.loc[name]["labelled"].sum() > 0
        before, after = (table.drop(index=name, level="sequence") for table in (before, after))
    pd.testing.assert_frame_equal(after, before)


def test_broken_frame_in_the_middle_loses_only_itself(steps, whole, caplog):
    path = steps.video("F001_T2")
    with av.open(str(path), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    middle = packets[len(packets) // 2]
    content = bytearray(path.read_bytes())
    content[middle.pos : middle.pos + middle.size] = np.random.default_rng(0).bytes(middle.size)
    path.write_bytes(content)
    steps.update()
    assert any(message.startswith("F001_T2: ") for message in caplog.messages)
    before, after = whole.table(), steps.table()
    assert list(after.index) == list(before.index)
    lost = after[(after["status"] == "undecodable") & (before["status"] != "undecodable")]
    assert set(lost.reset_index()["sequence"]) == {"F001_T2"}
    assert 1 <= len(lost) < len(after.loc["F001_T2"])


def test_unusual_videos_and_label_files_keep_their_frames_and_labels(steps, whole):
    """Variable rate; rotation, odd size and 4:4:4; Windows line ends: the n-th picture has the n-th label."""
    uneven, turned = steps.video("F001_T1"), steps.video("F001_T2")
    pictures = frames_of(uneven)
    encode(uneven, pictures, times=[2 * number + (number % 3 == 0) for number in range(len(pictures))])
    encode(turned, [picture[:, 5:] for picture in frames_of(turned)], pixels="yuv444p", rotation=90)
    labels = steps.folder / LABELS
    labels.write_bytes(b"\xef\xbb\xbf" + labels.read_bytes().replace(b"\n", b"\r\n"))
    steps.update()
    pd.testing.assert_frame_equal(steps.table(), whole.table())
    sizes = pd.read_parquet(steps.folder / "made" / "sequences.parquet").set_index("sequence")[["width", "height"]]
    assert sizes.loc["F001_T1"].tolist() == [160, 160]
    assert sizes.loc["F001_T2"].tolist() == [160, 155]
