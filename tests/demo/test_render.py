import hashlib
import json
import subprocess
import sys

import pytest

import clef.demo.render
from clef.demo.render import render_demo
from clef.params import RenderParams

TINY = RenderParams(subjects=2, activities=2, seconds=(0.6, 0.8), size=160)
STILLS = RenderParams(kind="stills", train_images=5, test_images=3, size=160)


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
    del files["render.json"]
    assert record["files"] == files
    assert list(record["files"]) == sorted(record["files"])
    assert len(files) == 4 * 6 * 2
    assert RenderParams(**record["settings"]).subjects == 4
    assert str(rendered) not in (rendered / "render.json").read_text()


def test_what_an_earlier_rendering_left_is_removed_and_nothing_else(tmp_path):
    strangers = [
        "videos/F001/.T9.mp4.partial",
        "videos/F009/T1.mp4",
        "AUCoding/AU_OCC/F009_T1.csv",
        "labels.csv",
    ]
    for path in [*strangers, "notes.txt"]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("old")
    render_demo(TINY, tmp_path, workers=1)
    files = json.loads((tmp_path / "render.json").read_text())["files"]
    assert not set(strangers) & set(files)
    assert contents(tmp_path).keys() == {*files, "render.json", "notes.txt"}
    assert not (tmp_path / "videos/F009").exists()


def test_an_unfinished_rendering_has_no_record(tmp_path):
    (tmp_path / "render.json").write_text("of an earlier rendering")

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_demo(STILLS, tmp_path, workers=1, progress=stop)
    assert not (tmp_path / "render.json").exists()


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
