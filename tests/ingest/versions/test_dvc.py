"""Pointers written by DVC itself, in real git repositories, of files that need not be videos."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest
import yaml
from dvc.repo import Repo
from hypothesis import given
from hypothesis import strategies as st

from clef.errors import ClefError
from clef.ingest.versions import dvc
from clef.ingest.versions.dvc import is_local, open_repository, push, raw_paths, remote_address, version_data
from clef.ingest.versions.pointers import LABELS, existing_pointers, read_pointer
from clef.recordings.sequence import RecordedSequence
from tests.datasets.opened import demo

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC

Usage = namedtuple("Usage", "total used free")
ROOT = Path(__file__).parents[3]
DEMO_FILES = [
    *(f"videos/{subject}/{activity}.mp4" for subject in ("F001", "M001") for activity in ("T1", "T2")),
    *(f"AUCoding/AU_OCC/{subject}_T1.csv" for subject in ("F001", "M001")),
    "render.json",
]


def listed(sources: dict[str, list[str]], pointer: str | None = None) -> SimpleNamespace:
    """A data set with recordings as given, for any layout."""
    sequences = [
        RecordedSequence("listed", source, shard, None, None, shard, "video", source, 1)
        for shard, own in sources.items()
        for source in own
    ]
    return SimpleNamespace(
        shards=lambda: sorted(sources),
        version_of=lambda shard: pointer or shard,
        sequences=lambda root: sequences,
        ignored_folders=("thermal",),
    )


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"contents of {path}")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path) -> Path:
    folder = tmp_path / "checkout"
    write(folder / "data" / "raw" / "demo", *DEMO_FILES)
    shutil.copy(ROOT / ".gitignore", folder)
    git(folder, "init", "--quiet")
    return folder


def raw(checkout: Path) -> Path:
    return checkout / "data" / "raw" / "demo"


def version(checkout: Path) -> list[str]:
    """Version the demo, and return the names of the changed pointers."""
    return [pointer.name for pointer in version_data(open_repository(checkout), demo(), raw(checkout))]


def set_remote(checkout: Path, name: str, url: str) -> Repo:
    repository = open_repository(checkout)
    with repository.config.edit() as config:
        config["core"]["remote"] = name
        config["remote"][name] = {"url": url}
    return repository


def test_each_subject_has_a_pointer_that_changes_with_its_files_only(checkout):
    assert version(checkout) == ["F001.dvc", "M001.dvc", "labels.dvc"]
    paths = {
        path.name: [part.path.relative_to(raw(checkout)).as_posix() for part in read_pointer(path)]
        for path in existing_pointers(demo(), raw(checkout))
    }
    expected = {"F001.dvc": ["videos/F001"], "M001.dvc": ["videos/M001"], "labels.dvc": ["AUCoding", "render.json"]}
    assert paths == expected
    (labels,) = (part for part in read_pointer(raw(checkout) / "labels.dvc") if part.path.name == "AUCoding")
    files = list(labels.path.rglob("*.csv"))
    assert (labels.files, labels.size) == (len(files), sum(path.stat().st_size for path in files))
    assert version(checkout) == []
    before = (raw(checkout) / "F001.dvc").read_bytes()
    (raw(checkout) / "videos" / "M001" / "T2.mp4").write_text("other")
    assert version(checkout) == ["M001.dvc"]
    assert (raw(checkout) / "F001.dvc").read_bytes() == before
    write(raw(checkout), "AUCoding/AU_OCC/M001_T2.csv", "README.pdf")
    assert version(checkout) == ["labels.dvc"]


def test_git_gets_the_pointers_and_never_the_data(checkout):
    write(checkout / "data" / "raw", "whole.zip", ".gitkeep")
    write(checkout / "results" / "demo", "summary.csv", "summary.json", "plots/f1.csv", "plots/f1.svg", "seed0/x")
    write(checkout, "results/demo/seed0/fold0/summary.csv")
    version(checkout)
    git(checkout, "add", "--all")
    data = [f"data/raw/{name}" for name in (".gitkeep", "demo/F001.dvc", "demo/M001.dvc", "demo/labels.dvc")]
    results = [f"results/demo/{name}" for name in ("plots/f1.csv", "summary.csv", "summary.json")]
    dvc_files = [".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore"]
    assert git(checkout, "ls-files").splitlines() == [*dvc_files, *data, *results]


def test_files_are_sent_to_a_remote_once(checkout, tmp_path):
    with pytest.raises(ClefError, match="no default remote; set one with `dvc remote add"):
        remote_address(open_repository(checkout), None)
    repository = set_remote(checkout, "store", str(tmp_path / "store"))
    version_data(repository, demo(), raw(checkout))
    name, address = remote_address(repository, None)
    assert name == "store"
    with pytest.raises(ClefError, match="no remote near; expected one of store"):
        remote_address(repository, "near")
    addresses = [address, "../store", "file:///mnt/store", "s3://bucket/data", "ssh://host/data", "remote://other/data"]
    assert [is_local(each) for each in addresses] == [True, True, True, False, False, False]
    reported = []
    pointers = existing_pointers(demo(), raw(checkout))
    assert push(repository, pointers, name, lambda *counts: reported.append(counts)) > 0
    assert reported == [(1, 3), (2, 3), (3, 3)]
    assert push(repository, pointers, name) == 0


@pytest.mark.parametrize(
    ("sources", "others", "paths"),
    [
        (
            {"F001": ["2D+3D/F001.zip"], "F002": ["2D+3D/F002.zip"]},
            ["AUCoding/AU_OCC/F001_T1.csv", "Thermal/F001/T1.wmv", "guide.pdf"],
            {"F001": ["2D+3D/F001.zip"], "F002": ["2D+3D/F002.zip"], LABELS: ["AUCoding", "guide.pdf"]},
        ),
        (
            {"SN001": ["left/SN001.avi", "right/SN001/a.avi"], "SN002": ["left/SN002.avi"]},
            ["right/.DS_Store", "left/.SN001.avi.partial"],
            {"SN001": ["left/SN001.avi", "right"], "SN002": ["left/SN002.avi"], LABELS: []},
        ),
        (
            {"block0": ["train_set/images/1.jpg"], "block1": ["train_set/images/2.jpg", "val_set/images/1.jpg"]},
            ["train_set/annotations/1_exp.npy"],
            {"images": ["train_set/images", "val_set"], LABELS: ["train_set/annotations"]},
        ),
    ],
)
def test_layouts_of_shards(tmp_path, sources, others, paths):
    write(tmp_path, *others, *(f"{source}/x" for own in sources.values() for source in own))
    assert raw_paths(listed(sources, "images" if "block0" in sources else None), tmp_path) == paths


NAMES = st.sampled_from("abc")
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.sampled_from(["F", "M", LABELS]), min_size=3
)


@given(tree=TREES)
def test_every_file_belongs_to_exactly_one_pointer(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("tree")
    files = {f"{path}.file": shard for path, shard in tree.items()}
    write(root, *files)
    sources = {shard: [path for path, own in files.items() if own == shard] for shard in ("F", "M")}
    if not all(sources.values()):
        with pytest.raises(ClefError, match="no recordings of"):
            raw_paths(listed(sources), root)
        return
    paths = raw_paths(listed(sources), root)
    for path, shard in files.items():
        owners = [name for name, own in paths.items() if any(PurePosixPath(path).is_relative_to(part) for part in own)]
        assert len(owners) == 1, (path, paths)
        assert shard == LABELS or owners == [shard]


def test_errors_before_anything_is_versioned(checkout, tmp_path):
    with pytest.raises(ClefError, match="no recordings of F002, M002 found"):
        version_data(open_repository(checkout), demo(subjects=4), raw(checkout))
    assert existing_pointers(demo(subjects=4), raw(checkout)) == []
    with pytest.raises(ClefError, match="not a git repository; data versions are git commits: run `git init` first"):
        open_repository(tmp_path)


@pytest.mark.parametrize("target", ["../elsewhere", "elsewhere"])
def test_raw_folder_behind_a_link_is_refused(checkout, target):
    raw(checkout).rename(checkout / target)
    raw(checkout).symlink_to(checkout / target)
    with pytest.raises(ClefError, match=r"leads to .*elsewhere, and git and DVC do not follow links: put or mount"):
        version_data(open_repository(checkout), demo(), raw(checkout))


@pytest.mark.parametrize("link", ["videos", "videos/F001", "videos/F001/T1.mp4", "AUCoding/AU_OCC"])
def test_links_inside_the_raw_folder_are_refused_and_their_targets_stay_as_they_are(checkout, tmp_path, link):
    repository = open_repository(checkout)
    with repository.config.edit() as config:
        config["cache"]["type"] = ["symlink"]
    path, target = raw(checkout) / link, tmp_path / "disk"
    path.rename(target)
    path.symlink_to(target)
    files = [path, target, *target.rglob("*")]
    before = [(file.lstat().st_ino, file.lstat().st_mode, file.lstat().st_nlink) for file in files]
    with pytest.raises(ClefError, match=rf"demo: links inside: {link}; DVC would replace them"):
        version_data(open_repository(checkout), demo(), raw(checkout))
    assert [(file.lstat().st_ino, file.lstat().st_mode, file.lstat().st_nlink) for file in files] == before
    assert existing_pointers(demo(), raw(checkout)) == []


def test_links_of_dvc_into_its_cache_and_those_in_ignored_folders_are_no_hindrance(checkout):
    repository = open_repository(checkout)
    with repository.config.edit() as config:
        config["cache"]["type"] = ["symlink"]
    assert len(version(checkout)) == 3
    assert (raw(checkout) / "videos" / "F001" / "T1.mp4").is_symlink()
    assert version(checkout) == []
    ignored = SimpleNamespace(**{name: getattr(demo(), name) for name in ("shards", "version_of", "sequences")})
    ignored.ignored_folders = ("thermal",)
    (raw(checkout) / "Thermal").symlink_to(checkout)
    assert version_data(open_repository(checkout), ignored, raw(checkout)) == []


def test_errors_of_dvc_are_one_line(checkout):
    repository = open_repository(checkout)
    repository.add([str(raw(checkout) / "videos")])
    with pytest.raises(ClefError, match=r"^dvc: [^\n]*overlap[^\n]*$"):
        version_data(repository, demo(), raw(checkout))


def test_space_is_checked_before_copies_to_the_cache(checkout, monkeypatch):
    repository = open_repository(checkout)
    links: list[str] = []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(9, 9, 5))
    monkeypatch.setattr(dvc, "test_links", lambda *arguments: links)
    message = r"cache.*: copies of the changed files need at least \d+ bytes, the disk has 5 bytes"
    with pytest.raises(ClefError, match=message):
        version_data(repository, demo(), raw(checkout))
    assert existing_pointers(demo(), raw(checkout)) == []
    links.append("hardlink")
    version_data(repository, demo(), raw(checkout))
    links.clear()
    version_data(repository, demo(), raw(checkout))  # unchanged files are not copied again
    write(raw(checkout), "videos/F001/another.mp4")
    with pytest.raises(ClefError, match="copies of the changed files need"):
        version_data(repository, demo(), raw(checkout))


# `clef version-data`

LICENSED = """
import sys
from clef.cli import main
from clef.datasets.demo import Demo

Demo.completion_marker = lambda self: None
main()
"""
RENDERED = "from clef.cli import main\nmain()"


@pytest.fixture
def licensed(checkout) -> Path:
    """A checkout with a remote on another machine; with the code `LICENSED`, `demo` is not rendered by this project."""
    set_remote(checkout, "far", "s3://bucket/data")
    params = {"dataset": {"adapter": "demo"}, "render": {"subjects": 2, "activities": 2}, "folds": {"number": 2}}
    (checkout / "params").mkdir()
    (checkout / "params" / "demo.yaml").write_text(yaml.safe_dump(params))
    return checkout


def clef(folder: Path, code: str, *options: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, "version-data", "demo", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, stdin=stdin, env=environment, capture_output=True, text=True, check=False
    )


def test_licensed_recordings_are_not_sent_without_consent(licensed):
    ran = clef(licensed, LICENSED, "--push")
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        "clef: error: demo is not made by this project, and its licence may forbid sending it to "
        "s3://bucket/data (far); if it is allowed, give --yes"
    ]
    assert not (raw(licensed) / "F001.dvc").exists()
    for answer, message in ((b"n\n", "nothing was sent"), (b"y\n", "dvc: ")):
        keyboard, terminal = os.openpty()
        os.write(keyboard, answer)
        ran = clef(licensed, LICENSED, "--push", stdin=terminal)
        os.close(keyboard)
        os.close(terminal)
        assert "Send it? [y/N]" in ran.stderr
        assert ran.returncode == 1
        assert f"clef: error: {message}" in ran.stderr
        assert (raw(licensed) / "F001.dvc").exists() is (answer == b"y\n")


@pytest.mark.parametrize(("code", "options"), [(LICENSED, ["--yes"]), (RENDERED, []), (LICENSED, [])])
def test_consent_is_not_asked_with_yes_for_rendered_data_or_for_a_local_remote(licensed, tmp_path, code, options):
    local = not options and code == LICENSED
    if local:
        set_remote(licensed, "far", str(tmp_path / "store"))
    ran = clef(licensed, code, "--push", *options)
    assert "Send it?" not in ran.stderr
    assert (raw(licensed) / "F001.dvc").exists()
    assert (ran.returncode == 0) is local is (tmp_path / "store").exists()


def test_next_commands_are_printed(licensed):
    write(licensed, "data/interim/demo/sequences.parquet")
    ran = clef(licensed, LICENSED)
    assert ran.returncode == 0, ran.stderr
    assert "3 pointers, 3 of them new or changed" in ran.stderr
    assert "next: git add data/raw/demo/*.dvc && git commit" in ran.stderr
    assert "snakemake --touch --cores 1" in ran.stderr
    again = clef(licensed, LICENSED)
    assert "0 of them new or changed" in again.stderr
    assert "--touch" not in again.stderr
