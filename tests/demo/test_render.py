import hashlib
import json
import subprocess
import sys

import pytest

import clef.demo.render
from clef.demo.clip import Clip
from clef.demo.render import render_demo
from clef.errors import ClefError
from clef.params.schema import RenderParams
from clef.runtime.files import temporary_path

TINY = RenderParams(subjects=2, activities=2, seconds=(0.6, 0.8), size=160)
STILLS = RenderParams(kind="stills", train_images=5, test_images=3, size=160)


def written_of(settings: RenderParams) -> set[str]:
    clips = [Clip(settings, s, a) for s in range(settings.subjects) for a in range(settings.activities)]
    return {path for clip in clips for path in (clip.video, clip.labels)}


def list_rendered(root, files) -> None:
    root.mkdir(exist_ok=True)
    (root / ".rendered").write_text("".join(f"{path}\n" for path in files))


def contents(root) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("settings", [TINY, STILLS], ids=["videos", "stills"])
def test_same_settings_give_the_same_bytes_with_any_number_of_workers(tmp_path, settings):
    render_demo(settings, tmp_path / "one", workers=1)
    render_demo(settings, tmp_path / "two", workers=2)
    other = settings.model_copy(update={"seed": 1})
    render_demo(other, tmp_path / "other", workers=2)
    one, two, other_seed = (contents(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert one.keys() == other_seed.keys()
    images = [path for path in one if path.endswith((".mp4", ".jpg"))]
    assert images
    assert all(one[path] != other_seed[path] for path in images)


def test_the_record_lists_every_file_with_its_hash(rendered):
    record = json.loads((rendered / "render.json").read_text())
    files = {path: hashlib.sha256(data).hexdigest() for path, data in contents(rendered).items()}
    del files["render.json"], files[".rendered"]
    assert record["files"] == files
    assert list(record["files"]) == sorted(record["files"])
    assert len(files) == 4 * 6 * 2
    assert RenderParams(**record["settings"]).subjects == 4
    assert str(rendered) not in (rendered / "render.json").read_text()


def test_files_of_an_earlier_rendering_are_removed(tmp_path):
    older = [*written_of(TINY), "videos/F009/T1.mp4", "AUCoding/AU_OCC/F009_T1.csv", "labels.csv"]
    list_rendered(tmp_path, older)
    half = temporary_path(tmp_path / "videos/F001/T9.mp4").relative_to(tmp_path).as_posix()
    for path in [*older, half]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("old")
    render_demo(TINY, tmp_path, workers=1)
    files = json.loads((tmp_path / "render.json").read_text())["files"]
    assert set(files) == written_of(TINY)
    assert contents(tmp_path).keys() == {*files, "render.json", ".rendered"}
    assert not (tmp_path / "videos/F009").exists()
    fresh = tmp_path / "fresh"
    render_demo(TINY, fresh, workers=1)
    assert contents(fresh) == {path: (tmp_path / path).read_bytes() for path in contents(fresh)}


def stopped(settings: RenderParams, root) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_demo(settings, root, workers=1, progress=stop)


def test_an_unfinished_rendering_has_no_record_and_is_finished_by_the_next(tmp_path):
    render_demo(STILLS, tmp_path / "whole", workers=1)
    list_rendered(tmp_path / "set", ["images/train/00009.jpg"])
    stopped(STILLS, tmp_path / "set")
    assert not (tmp_path / "set" / "render.json").exists()
    stopped(TINY, tmp_path / "set")
    render_demo(STILLS, tmp_path / "set", workers=1)
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_recordings_of_ones_own_are_left_alone(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "mine.mp4").write_text("mine")
    for settings in (TINY, STILLS):
        with pytest.raises(ClefError, match=r"holds videos/mine.mp4, which render-demo did not write; use"):
            render_demo(settings, tmp_path, workers=1)
    assert contents(tmp_path) == {"videos/mine.mp4": b"mine"}


def test_progress_counts_up_and_the_record_is_written_last(tmp_path, monkeypatch):
    calls, written = [], []
    write = clef.demo.render.write_text

    def watch(target, text):
        written.append((target.name, len(list(tmp_path.rglob("*.jpg")))))
        write(target, text)

    monkeypatch.setattr(clef.demo.render, "write_text", watch)
    render_demo(STILLS, tmp_path, workers=1, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 8) for done in range(1, 9)]
    assert written == [("labels.csv", 8), ("render.json", 8)]


def test_a_stopped_worker_ends_its_piece_and_draws_no_other():
    code = """
import os, signal
from clef.demo.render import _in_worker, _prepare_worker
_prepare_worker()
print(_in_worker(lambda piece: os.kill(os.getpid(), signal.SIGINT) or [piece], "first"))
try:
    _in_worker(lambda piece: [piece], "second")
except KeyboardInterrupt:
    print("stopped")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["['first']", "stopped"]
