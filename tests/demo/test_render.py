import hashlib
import json

import pytest

import clef.demo.render
from clef.demo.render import render_demo
from clef.params import RenderParams

TINY = RenderParams(subjects=2, activities=2, seconds=(0.6, 0.8), size=160)
STILLS = RenderParams(kind="stills", train_images=5, test_images=3, size=160)


def contents(root) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


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
    render_demo(TINY, tmp_path, workers=1)
    first = contents(tmp_path)
    (tmp_path / "videos/F001/.T9.mp4.partial").write_bytes(b"half")
    (tmp_path / "videos/F009").mkdir()
    (tmp_path / "videos/F009/T1.mp4").write_bytes(b"old")
    (tmp_path / "AUCoding/AU_OCC/F009_T1.csv").write_text("old")
    (tmp_path / "labels.csv").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    render_demo(TINY, tmp_path, workers=1)
    assert contents(tmp_path) == {**first, "notes.txt": b"mine"}
    assert not (tmp_path / "videos/F009").exists()


def test_an_unfinished_rendering_has_no_record(tmp_path):
    render_demo(STILLS, tmp_path, workers=1)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_demo(STILLS, tmp_path, workers=1, progress=stop)
    assert not (tmp_path / "render.json").exists()


def test_progress_counts_up_to_the_total(tmp_path):
    calls = []
    render_demo(STILLS, tmp_path, workers=1, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 8) for done in range(1, 9)]


def test_the_record_is_written_last(tmp_path, monkeypatch):
    order = []
    write = clef.demo.render.write_text

    def watch(target, text):
        order.append((target.name, sorted(path.name for path in tmp_path.rglob("*.jpg"))))
        write(target, text)

    monkeypatch.setattr(clef.demo.render, "write_text", watch)
    render_demo(STILLS, tmp_path, workers=1)
    assert [name for name, _ in order] == ["labels.csv", "render.json"]
    assert len(order[-1][1]) == 8
