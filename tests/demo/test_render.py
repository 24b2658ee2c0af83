import hashlib
import json
import sys

import psutil
import pytest

from clef.demo import render
from clef.demo.render import render_demo
from clef.params.schema import RenderParams

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
    assert len(files) == 4 * 6 * 2
    assert RenderParams(**record["settings"]).subjects == 4


def test_progress_counts_up_and_the_record_is_written_last(tmp_path, monkeypatch):
    calls, written = [], []
    write = render.write_text

    def record(target, text):
        written.append((target.name, len(list(tmp_path.rglob("*.jpg")))))
        write(target, text)

    monkeypatch.setattr(render, "write_text", record)
    render_demo(STILLS, tmp_path, workers=1, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 8) for done in range(1, 9)]
    assert written == [("labels.csv", 8), ("render.json", 8)]


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = "from clef.demo.render import render_demo; from clef.params.schema import RenderParams; "
    script += f"render_demo(RenderParams(kind='videos'), {str(tmp_path / 'raw')!r}, 2)"
    parent = psutil.Popen([sys.executable, "-c", script])
    while not list(tmp_path.rglob("*.mp4")):
        with pytest.raises(psutil.TimeoutExpired):
            parent.wait(0.05)
    workers = parent.children()
    parent.kill()
    parent.wait()
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
