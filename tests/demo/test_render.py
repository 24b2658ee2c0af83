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


def contents(root) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("settings", [TINY, STILLS], ids=["videos", "stills"])
def test_the_same_settings_give_the_same_bytes_with_any_number_of_workers(tmp_path, settings):
    render_demo(settings, tmp_path / "one", workers=1)
    render_demo(settings, tmp_path / "two", workers=2)
    render_demo(settings.model_copy(update={"seed": 1}), tmp_path / "other", workers=2)
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
    clips = [Clip(TINY, subject, activity) for subject in range(2) for activity in range(2)]
    planned = {path for clip in clips for path in (clip.video, clip.labels)}
    older = [*planned, "videos/F009/T1.mp4", "AUCoding/AU_OCC/F009_T1.csv", "labels.csv"]
    (tmp_path / ".rendered").write_text("".join(f"{path}\n" for path in older))
    unfinished = temporary_path(tmp_path / "videos/F001/T9.mp4").relative_to(tmp_path).as_posix()
    for path in [*older, unfinished]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("old")
    render_demo(TINY, tmp_path, workers=1)
    assert set(json.loads((tmp_path / "render.json").read_text())["files"]) == planned
    found = contents(tmp_path)
    assert found.keys() == {*planned, "render.json", ".rendered"}
    assert b"old" not in found.values()
    assert not (tmp_path / "videos/F009").exists()


def interrupt(done: int, total: int) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_rendering_has_no_record_and_can_be_repeated(tmp_path):
    render_demo(STILLS, tmp_path / "whole", workers=1)
    for settings in (STILLS, TINY):
        with pytest.raises(KeyboardInterrupt):
            render_demo(settings, tmp_path / "set", workers=1, progress=interrupt)
        assert not (tmp_path / "set" / "render.json").exists()
    render_demo(STILLS, tmp_path / "set", workers=1)
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_a_folder_with_other_recordings_is_left_alone(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "mine.mp4").write_text("mine")
    for settings in (TINY, STILLS):
        with pytest.raises(ClefError, match=r"holds videos/mine.mp4, which render-demo did not write; use"):
            render_demo(settings, tmp_path, workers=1)
    assert contents(tmp_path) == {"videos/mine.mp4": b"mine"}


def test_progress_counts_up_and_the_record_is_written_last(tmp_path, monkeypatch):
    calls, written = [], []
    write = clef.demo.render.write_text

    def record(target, text):
        written.append((target.name, len(list(tmp_path.rglob("*.jpg")))))
        write(target, text)

    monkeypatch.setattr(clef.demo.render, "write_text", record)
    render_demo(STILLS, tmp_path, workers=1, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 8) for done in range(1, 9)]
    assert written == [("labels.csv", 8), ("render.json", 8)]


INTERRUPTED_WORKER = """
import os, signal
from clef.demo.render import _prepare_worker, _render_unless_interrupted
_prepare_worker()
print(_render_unless_interrupted(lambda item: os.kill(os.getpid(), signal.SIGINT) or [item], "first"))
try:
    _render_unless_interrupted(lambda item: [item], "second")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupted_worker_finishes_its_item_and_draws_no_other():
    command = [sys.executable, "-c", INTERRUPTED_WORKER]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert process.stdout.splitlines() == ["['first']", "interrupted"]
