import json
from pathlib import Path

import pytest

from clef.demo.ownership import adopt, claim, note, require_own
from clef.errors import ClefError
from clef.runtime.files import temporary_path

PLANNED = {"videos/F001/T1.mp4", "AUCoding/AU_OCC/F001_T1.csv"}


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("mine")


def record(root: Path, *files: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "render.json").write_text(json.dumps({"format": 1, "settings": {}, "files": dict.fromkeys(files, "")}))


def tree(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def refused(root: Path, message: str) -> None:
    """By both, and nothing is touched."""
    above = root.parent
    before = tree(above)
    for ask in (require_own, claim):
        with pytest.raises(ClefError, match=message) as caught:
            ask(root, PLANNED)
        assert "\n" not in str(caught.value)
    assert tree(above) == before


@pytest.mark.parametrize(
    "own",
    [
        ["videos/P01/talk.mp4"],
        ["labels.csv"],
        ["images/a.jpg", "notes.txt"],
        ["videos/F001/T1.mp4"],  # as one of the demo's own is called
        ["render.json"],
    ],
    ids=lambda own: own[0],
)
def test_a_folder_that_no_rendering_filled_is_refused(tmp_path, own):
    write(tmp_path / "mine", *own)
    refused(tmp_path / "mine", rf"mine: holds {own[0].partition('/')[0]}.* say `dataset: \{{adapter: folder\}}`")


def test_a_link_is_refused_and_what_it_leads_to_left_alone(tmp_path):
    write(tmp_path / "lab", "videos/P01/talk.mp4")
    (tmp_path / "mine").symlink_to(tmp_path / "lab")
    refused(tmp_path / "mine", r"mine: a link to .*lab; expected a folder that render-demo may fill itself; for rec")
    record(tmp_path / "lab", "videos/P01/talk.mp4")
    refused(tmp_path / "mine", "mine: a link to")


@pytest.mark.parametrize(
    "record", ['{"files": {"videos/a.mp4": ""}}', '{"format": 1, "settings": {}, "files": ["videos"]}']
)
def test_a_record_of_another_program_is_none(tmp_path, record):
    write(tmp_path / "mine", "videos/a.mp4", "render.json")
    (tmp_path / "mine" / "render.json").write_text(record)
    refused(tmp_path / "mine", "mine: holds render.json, videos, and no list of render-demo's")


@pytest.mark.parametrize("link", ["videos", "videos/F001"])
def test_a_link_among_the_folders_of_a_rendering_is_refused(tmp_path, link):
    write(tmp_path / "lab", "F001/T1.mp4", "T1.mp4")
    record(tmp_path / "demo", "videos/F001/T1.mp4")
    (tmp_path / "demo" / link).parent.mkdir(exist_ok=True)
    (tmp_path / "demo" / link).symlink_to(tmp_path / "lab")
    refused(tmp_path / "demo", rf"demo/{link}: a link or a file; expected a folder")


@pytest.mark.parametrize("there", ["videos/F001/T1.mp4", "videos/F001/T1.mp4/deeper.mp4"])
def test_a_file_of_ones_own_in_the_place_of_a_new_one_is_refused(tmp_path, there):
    record(tmp_path / "demo", "videos/F009/T1.mp4")
    write(tmp_path / "demo", there)
    refused(tmp_path / "demo", r"videos/F001/T1\.mp4: in the way, and not written by render-demo; move it elsewhere")


def test_a_new_folder_is_claimed_and_so_is_one_with_nothing_but_what_is_no_data(tmp_path):
    write(tmp_path, ".gitignore", "render.lease", "F001.dvc")
    claim(tmp_path, PLANNED)
    claim(tmp_path / "new", PLANNED)
    write(tmp_path / "new", *PLANNED)
    assert require_own(tmp_path / "new", PLANNED) == PLANNED


def test_what_renderings_wrote_is_removed_and_nothing_else(tmp_path):
    record(tmp_path, "videos/F009/T1.mp4", "labels.csv")
    note(tmp_path, {"images/train/00001.jpg", "videos/F001/T1.mp4"})
    half = str(temporary_path(tmp_path / "images/train/00002.jpg").relative_to(tmp_path))
    mine = ["videos/mine.mp4", "images/train/.mine.partial", "images/test/00001.jpg", "notes.txt"]
    write(tmp_path, "videos/F009/T1.mp4", "labels.csv", "images/train/00001.jpg", "videos/F001/T1.mp4", half, *mine)
    claim(tmp_path, PLANNED)
    assert tree(tmp_path).keys() == {"videos/F001/T1.mp4", ".rendered", *mine}
    assert not (tmp_path / "videos/F009").exists()
    # Until the rendering is whole, what it has replaced is known: one that is stopped is no end of it.
    assert require_own(tmp_path, PLANNED) >= PLANNED | {"videos/F009/T1.mp4"}


@pytest.mark.parametrize("path", ["../precious", "videos/../../precious", "{root}/precious", "notes.txt", ""])
def test_a_list_from_elsewhere_leads_to_no_other_file(tmp_path, path):
    path = path.format(root=tmp_path)
    write(tmp_path, "precious", "demo/notes.txt")
    record(tmp_path / "demo", path)
    note(tmp_path / "demo", [path])
    claim(tmp_path / "demo", PLANNED)
    assert tree(tmp_path).keys() == {"precious", "demo/notes.txt", "demo/.rendered"}


def test_what_an_older_version_rendered_stays_known_when_its_record_is_gone(tmp_path):
    record(tmp_path, "videos/F009/T1.mp4")
    write(tmp_path, "videos/F009/T1.mp4")
    adopt(tmp_path)
    (tmp_path / "render.json").unlink()
    claim(tmp_path, PLANNED)
    assert tree(tmp_path).keys() == {".rendered"}


def test_nothing_is_noted_where_nothing_was_rendered(tmp_path):
    write(tmp_path / "mine", "render.json", "videos/a.mp4")
    for root in (tmp_path / "mine", tmp_path / "nowhere"):
        adopt(root)
    assert tree(tmp_path).keys() == {"mine/render.json", "mine/videos/a.mp4"}
