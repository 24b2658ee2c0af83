from pathlib import Path

import pytest

from clef.demo.overwrite_guard import prepare_folder, require_own_folder
from clef.errors import ClefError
from clef.runtime.files import temporary_path

PLANNED = {"videos/F001/T1.mp4", "AUCoding/AU_OCC/F001_T1.csv"}


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("mine")


def list_rendered(root: Path, *paths: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / ".rendered").write_text("".join(f"{path}\n" for path in paths))


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def assert_refused(root: Path, message: str) -> None:
    before = contents(root.parent)
    for function, arguments in ((require_own_folder, ()), (prepare_folder, (PLANNED,))):
        with pytest.raises(ClefError, match=message) as caught:
            function(root, *arguments)
        assert "\n" not in str(caught.value)
    assert contents(root.parent) == before


@pytest.mark.parametrize("foreign", ["videos/F001/T1.mp4", "labels.csv", "render.json"])
def test_folder_without_list_is_refused(tmp_path, foreign):
    write(tmp_path / "mine", foreign)
    assert_refused(tmp_path / "mine", f"mine: holds {foreign}, which render-demo did not write; use `dataset:")


@pytest.mark.parametrize("foreign", ["videos/F001/T1.mp4", "videos/F009/T1.mp4/x.mp4", "notes.txt", "videos"])
def test_file_that_is_not_listed_is_refused(tmp_path, foreign):
    list_rendered(tmp_path / "demo", "videos/F009/T1.mp4", "labels.csv", f"../demo/{foreign}", "render.json")
    write(tmp_path / "demo", foreign, "labels.csv", "render.json")
    assert_refused(tmp_path / "demo", f"demo: holds {foreign}, which")


def test_hidden_files_leases_and_pointers_are_ignored(tmp_path):
    write(tmp_path, ".gitignore", "render.lease", "render.lease|host|1|2", "F001.dvc", "videos/.DS_Store")
    before = contents(tmp_path)
    prepare_folder(tmp_path, PLANNED)
    assert contents(tmp_path).items() >= before.items()
    prepare_folder(tmp_path / "new", PLANNED)
    write(tmp_path / "new", *PLANNED)
    assert require_own_folder(tmp_path / "new") == PLANNED


def test_only_files_of_earlier_renderings_are_removed(tmp_path):
    kept, stale = "videos/F001/T1.mp4", ["videos/F009/T1.mp4", "labels.csv"]
    half = temporary_path(tmp_path / "images/train/00002.jpg").relative_to(tmp_path).as_posix()
    list_rendered(tmp_path, kept, *stale)
    write(tmp_path, kept, *stale, half, "render.json", "videos/.hidden")
    prepare_folder(tmp_path, PLANNED)
    assert contents(tmp_path).keys() == {kept, ".rendered", "videos/.hidden"}
    assert not (tmp_path / "videos/F009").exists()
    assert not (tmp_path / "images").exists()
    assert (tmp_path / ".rendered").read_text().splitlines() == sorted(PLANNED)


def test_links_are_refused(tmp_path):
    write(tmp_path / "lab", "videos/F001/T1.mp4")
    list_rendered(tmp_path / "lab", "videos/F001/T1.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "lab")
    assert_refused(tmp_path / "link", "link: a link or a file; expected a folder that only render-demo writes to")
    list_rendered(tmp_path / "demo", "videos/F001/T1.mp4")
    (tmp_path / "demo" / "videos").symlink_to(tmp_path / "lab" / "videos")
    assert_refused(tmp_path / "demo", "demo: holds videos, which")


def test_list_does_not_lead_out_of_the_folder(tmp_path):
    write(tmp_path, "precious")
    list_rendered(tmp_path / "demo", "../precious", "videos/../../precious", f"{tmp_path}/precious", "")
    prepare_folder(tmp_path / "demo", PLANNED)
    assert contents(tmp_path).keys() == {"precious", "demo/.rendered"}
