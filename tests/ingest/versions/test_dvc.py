"""Pointers made by DVC itself, in real git repositories, of files that need not be videos."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path, PurePosixPath

import pytest
import yaml
from dvc.repo import Repo
from hypothesis import given
from hypothesis import strategies as st

from clef.datasets import open_dataset
from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.ingest.versions import dvc as versioning
from clef.ingest.versions.dvc import is_local, open_repository, push, raw_paths, remote_address, version_data
from clef.ingest.versions.pointers import LABELS, existing_pointers, read_pointer
from clef.params.schema import Params
from clef.recordings.sequence import RecordedSequence
from clef.runtime import disk_space

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC's

Usage = namedtuple("Usage", "total used free")
ROOT = Path(__file__).parents[3]


def demo(**render) -> Dataset:
    values = {"dataset": {"adapter": "demo"}, "render": {"subjects": 2, "activities": 2} | render}
    return open_dataset(Params.model_validate(values | {"folds": {"number": 2}}))


def stills() -> Dataset:
    return open_dataset(
        Params.model_validate(
            {
                "dataset": {"adapter": "demo_expr"},
                "render": {"kind": "stills", "train_images": 3, "test_images": 1},
                "labels": {"kind": "expressions", "expressions": ["happiness", "sadness"]},
                "folds": {"protocol": "official", "number": 1},
            }
        )
    )


class Listed(Dataset):
    """Recordings as given: what any layout comes to."""

    label_names = ()
    ignored_folders = ("thermal",)

    def __init__(self, sources: dict[str, list[str]]):
        self.sources = sources

    def shards(self):
        return sorted(self.sources)

    def subjects(self):
        return self.shards()

    def expected_sequences(self):
        return []

    def unexpected_files(self, root, sequences):
        return []

    def sequences(self, root):
        return [
            RecordedSequence("listed", source, shard, None, None, shard, "video", source, 1)
            for shard, sources in self.sources.items()
            for source in sources
        ]

    def labels(self, root, sequences):
        raise NotImplementedError


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"contents of {path}")


DEMO_FILES = [
    *(f"videos/{subject}/{activity}.mp4" for subject in ("F001", "M001") for activity in ("T1", "T2")),
    *(f"AUCoding/AU_OCC/{subject}_T1.csv" for subject in ("F001", "M001")),
    "render.json",
]


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


def versioned(checkout: Path) -> list[str]:
    changed = version_data(open_repository(checkout), demo(), raw(checkout))
    return [pointer.name for pointer in changed]


def test_a_subject_is_a_pointer_and_the_rest_is_another(checkout):
    assert versioned(checkout) == ["F001.dvc", "M001.dvc", "labels.dvc"]
    paths = {
        path.name: [part.path.relative_to(raw(checkout)).as_posix() for part in read_pointer(path)]
        for path in existing_pointers(demo(), raw(checkout))
    }
    assert paths == {
        "F001.dvc": ["videos/F001"],
        "M001.dvc": ["videos/M001"],
        "labels.dvc": ["AUCoding", "render.json"],
    }


def test_what_a_pointer_records_is_what_dvc_itself_finds(checkout):
    versioned(checkout)
    (labels,) = (part for part in read_pointer(raw(checkout) / "labels.dvc") if part.path.name == "AUCoding")
    files = list(labels.path.rglob("*.csv"))
    assert (labels.files, labels.size) == (len(files), sum(path.stat().st_size for path in files))
    assert Repo(str(checkout)).status() == {}
    (raw(checkout) / "videos" / "M001" / "T2.mp4").write_text("other")
    assert [Path(path).name for path in Repo(str(checkout)).status()] == ["M001.dvc"]


def test_only_the_pointer_of_what_changed_changes(checkout):
    versioned(checkout)
    assert versioned(checkout) == []
    before = (raw(checkout) / "F001.dvc").read_bytes()
    (raw(checkout) / "videos" / "M001" / "T2.mp4").write_text("other")
    assert versioned(checkout) == ["M001.dvc"]
    assert (raw(checkout) / "F001.dvc").read_bytes() == before
    write(raw(checkout), "AUCoding/AU_OCC/M001_T2.csv")
    assert versioned(checkout) == ["labels.dvc"]
    write(raw(checkout), "README.pdf")
    assert versioned(checkout) == ["labels.dvc"]


def test_git_takes_the_pointers_and_never_the_data(checkout):
    write(checkout / "data" / "raw", "whole.zip", ".gitkeep")
    write(checkout / "results" / "demo", "summary.csv", "summary.json", "plots/f1.csv", "plots/f1.svg", "seed0/x")
    write(checkout, "results/demo/seed0/fold0/summary.csv")
    versioned(checkout)
    git(checkout, "add", "--all")
    assert git(checkout, "ls-files").splitlines() == [
        ".dvc/.gitignore",
        ".dvc/config",
        ".dvcignore",
        ".gitignore",
        "data/raw/.gitkeep",
        "data/raw/demo/F001.dvc",
        "data/raw/demo/M001.dvc",
        "data/raw/demo/labels.dvc",
        "results/demo/plots/f1.csv",
        "results/demo/summary.csv",
        "results/demo/summary.json",
    ]


def test_a_clone_gets_the_files_back_from_a_remote(checkout, tmp_path):
    repository = open_repository(checkout)
    version_data(repository, demo(), raw(checkout))
    with repository.config.edit() as config:
        config["core"]["remote"] = "store"
        config["remote"]["store"] = {"url": str(tmp_path / "store")}
    name, address = remote_address(repository, None)
    assert (name, is_local(address)) == ("store", True)
    told = []
    assert push(repository, existing_pointers(demo(), raw(checkout)), name, lambda *counts: told.append(counts)) > 0
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert push(repository, existing_pointers(demo(), raw(checkout)), name) == 0
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "one")
    git(tmp_path, "clone", "--quiet", str(checkout), "clone")
    clone = tmp_path / "clone"
    assert not (raw(clone) / "videos").exists()
    dvc = [sys.executable, "-m", "dvc", "pull", "--quiet", "--recursive", "data/raw/demo"]
    subprocess.run(dvc, cwd=clone, check=True)
    for path in DEMO_FILES:
        assert (raw(clone) / path).read_bytes() == (raw(checkout) / path).read_bytes()


def test_shards_that_lie_mixed_have_one_pointer(tmp_path):
    write(tmp_path, "images/train/00001.jpg", "images/train/00002.jpg", "images/train/00003.jpg")
    write(tmp_path, "images/test/00004.jpg", "labels.csv")
    assert raw_paths(stills(), tmp_path) == {"images": ["images"], LABELS: ["labels.csv"]}


@pytest.mark.parametrize(
    ("sources", "others", "paths"),
    [
        (
            {"F001": ["Sequences/F001/T1", "Sequences/F001/T2"], "F002": ["Sequences/F002/T1"]},
            ["AUCoding/AU_OCC/F001_T1.csv", "Sequences/F001/guide.pdf", "Sequences/notes.txt"],
            {"F001": ["Sequences/F001"], "F002": ["Sequences/F002"], LABELS: ["AUCoding", "Sequences/notes.txt"]},
        ),
        (
            {"F001": ["2D+3D/F001.zip"], "F002": ["2D+3D/F002.zip"]},
            ["AUCoding/AU_OCC/F001_T1.csv", "Thermal/F001/T1.wmv", "guide.pdf"],
            {"F001": ["2D+3D/F001.zip"], "F002": ["2D+3D/F002.zip"], LABELS: ["AUCoding", "guide.pdf"]},
        ),
        (
            {"F01": ["2F01_01.avi", "2F01_03.avi"], "M01": ["2M01_01.avi"]},
            ["AUCoding/F01_T1.csv"],
            {"F01": ["2F01_01.avi", "2F01_03.avi"], "M01": ["2M01_01.avi"], LABELS: ["AUCoding"]},
        ),
        (
            {"SN001": ["left/SN001.avi", "right/SN001/a.avi"], "SN002": ["left/SN002.avi"]},
            ["right/.DS_Store", "left/.SN001.avi.partial"],
            {"SN001": ["left/SN001.avi", "right"], "SN002": ["left/SN002.avi"], LABELS: []},
        ),
        (
            {"images": ["train_set/images/1.jpg", "train_set/images/2.jpg", "val_set/images/1.jpg"]},
            ["train_set/annotations/1_exp.npy", "train_set/images/Thumbs.db", "val_set/annotations/1_exp.npy"],
            {
                "images": ["train_set/images", "val_set/images"],
                LABELS: ["train_set/annotations", "val_set/annotations"],
            },
        ),
    ],
)
def test_layouts_of_the_field(tmp_path, sources, others, paths):
    write(tmp_path, *others, *(f"{source}/x" for own in sources.values() for source in own))
    assert raw_paths(Listed(sources), tmp_path) == paths


NAMES = st.sampled_from("abc")
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.sampled_from(["F", "M", LABELS]), min_size=3
)


@given(tree=TREES)
def test_pointers_share_nothing_and_leave_nothing_out(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("tree")
    files = {f"{path}.file": shard for path, shard in tree.items()}
    write(root, *files)
    sources = {shard: [path for path, own in files.items() if own == shard] for shard in ("F", "M")}
    if not all(sources.values()):
        with pytest.raises(ClefError, match="no recordings of"):
            raw_paths(Listed(sources), root)
        return
    paths = raw_paths(Listed(sources), root)
    for path, shard in files.items():
        holders = [
            name
            for name, own in paths.items()
            for part in own
            if PurePosixPath(path).is_relative_to(PurePosixPath(part))
        ]
        assert len(holders) == 1, (path, paths)
        assert shard == LABELS or holders == [shard]


def test_a_shard_without_recordings_is_named(checkout):
    with pytest.raises(ClefError, match="no recordings of F002, M002 found"):
        version_data(open_repository(checkout), demo(subjects=4), raw(checkout))
    assert existing_pointers(demo(subjects=4), raw(checkout)) == []


def test_without_git_there_are_no_versions(tmp_path):
    with pytest.raises(ClefError, match="not a git repository; data versions are git commits: run `git init` first"):
        open_repository(tmp_path)


@pytest.mark.parametrize("place", ["../elsewhere", "elsewhere"])
def test_a_folder_behind_a_link_is_refused(checkout, place):
    raw(checkout).rename(checkout / place)
    raw(checkout).symlink_to(checkout / place)
    with pytest.raises(ClefError, match=r"leads to .*elsewhere; DVC versions files inside the checkout"):
        version_data(open_repository(checkout), demo(), raw(checkout))


def test_what_dvc_refuses_is_one_line(checkout):
    repository = open_repository(checkout)
    repository.add([str(raw(checkout) / "videos")])
    with pytest.raises(ClefError, match=r"^dvc: [^\n]*overlap[^\n]*$"):
        version_data(repository, demo(), raw(checkout))


def test_files_that_the_cache_has_no_space_for_are_told_before_any_is_copied(checkout, monkeypatch):
    repository = open_repository(checkout)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda folder: Usage(9, 9, 5))
    monkeypatch.setattr(versioning, "test_links", lambda *arguments: [])
    with pytest.raises(ClefError, match=r"cache.*: a copy of what changed needs about \d+ bytes, the disk has 5 bytes"):
        version_data(repository, demo(), raw(checkout))
    assert existing_pointers(demo(), raw(checkout)) == []
    monkeypatch.setattr(versioning, "test_links", lambda *arguments: ["hardlink"])
    version_data(repository, demo(), raw(checkout))
    monkeypatch.setattr(versioning, "test_links", lambda *arguments: [])
    version_data(repository, demo(), raw(checkout))  # what is there already is not copied again
    write(raw(checkout), "videos/F001/another.mp4")
    with pytest.raises(ClefError, match="a copy of what changed needs"):
        version_data(repository, demo(), raw(checkout))


def test_remotes_are_found_by_name(checkout):
    repository = open_repository(checkout)
    with pytest.raises(ClefError, match="no default remote; set one with `dvc remote add"):
        remote_address(repository, None)
    with repository.config.edit() as config:
        config["remote"]["far"] = {"url": "s3://bucket/data"}
    with pytest.raises(ClefError, match="no remote near; expected one of far"):
        remote_address(repository, "near")
    assert remote_address(repository, "far") == ("far", "s3://bucket/data")


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("/mnt/store", True),
        ("../store", True),
        ("file:///mnt/store", True),
        ("s3://bucket/data", False),
        ("ssh://host/data", False),
        ("gs://bucket", False),
        ("https://host/data", False),
        ("remote://other/data", False),
    ],
)
def test_only_folders_are_local(address, local):
    assert is_local(address) is local


LICENSED = """
import sys
from clef.cli import main
from clef.datasets.demo import Demo

Demo.completion_marker = lambda self: None
main()
"""


@pytest.fixture
def licensed(checkout) -> Path:
    """A checkout with a remote far away, and with params under which `demo` is a data set of two people."""
    repository = open_repository(checkout)
    with repository.config.edit() as config:
        config["core"]["remote"] = "far"
        config["remote"]["far"] = {"url": "s3://bucket/data"}
    params = {"dataset": {"adapter": "demo"}, "render": {"subjects": 2, "activities": 2}, "folds": {"number": 2}}
    write(checkout, "params/demo.yaml")
    (checkout / "params" / "demo.yaml").write_text(yaml.safe_dump(params))
    return checkout


def clef(folder: Path, code: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        stdin=stdin,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_licensed_recordings_do_not_leave_unasked(licensed):
    ran = clef(licensed, LICENSED, "version-data", "demo", "--push")
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        "clef: error: demo is not made by this project, and its licence may forbid to send it to "
        "s3://bucket/data (far); where it allows it, say --yes"
    ]
    assert not (raw(licensed) / "F001.dvc").exists()


@pytest.mark.parametrize(("answer", "message"), [(b"n\n", "nothing was sent"), (b"y\n", "dvc: ")])
def test_a_terminal_is_asked(licensed, answer, message):
    keyboard, terminal = os.openpty()
    os.write(keyboard, answer)
    ran = clef(licensed, LICENSED, "version-data", "demo", "--push", stdin=terminal)
    os.close(keyboard)
    os.close(terminal)
    assert "Send it? [y/N]" in ran.stderr
    assert ran.returncode == 1
    assert f"clef: error: {message}" in ran.stderr
    assert (raw(licensed) / "F001.dvc").exists() is (answer == b"y\n")


@pytest.mark.parametrize(
    ("code", "options"), [(LICENSED, ["--yes"]), ("from clef.cli import main\nmain()", []), (LICENSED, [])]
)
def test_consent_the_projects_own_drawings_and_a_local_remote_need_no_question(licensed, tmp_path, code, options):
    if not options and code == LICENSED:
        with open_repository(licensed).config.edit() as config:
            config["remote"]["far"]["url"] = str(tmp_path / "store")
    ran = clef(licensed, code, "version-data", "demo", "--push", *options)
    assert "Send it?" not in ran.stderr
    assert (raw(licensed) / "F001.dvc").exists()
    assert (ran.returncode == 0) is (tmp_path / "store").exists()


def test_dvc_itself_does_not_ask(licensed, tmp_path):
    """What the documentation warns of, as long as it is so."""
    with open_repository(licensed).config.edit() as config:
        config["core"]["remote"] = "mount"
        config["remote"]["mount"] = {"url": str(tmp_path / "mount")}
    assert clef(licensed, LICENSED, "version-data", "demo").returncode == 0
    subprocess.run([sys.executable, "-m", "dvc", "push", "--quiet"], cwd=licensed, check=True, stdin=subprocess.DEVNULL)
    assert list((tmp_path / "mount").rglob("*"))


def test_nothing_is_sent_unless_asked_for(licensed):
    ran = clef(licensed, LICENSED, "version-data", "demo")
    assert ran.returncode == 0, ran.stderr
    assert "3 pointers, 3 of them new or changed" in ran.stderr
    assert "next: git add data/raw/demo/*.dvc && git commit" in ran.stderr
    assert "--touch" not in ran.stderr


def test_who_has_runs_already_is_told_of_the_touch(licensed):
    (licensed / "data" / "interim" / "demo").mkdir(parents=True)
    assert "snakemake --touch --cores 1" in clef(licensed, LICENSED, "version-data", "demo").stderr
    again = clef(licensed, LICENSED, "version-data", "demo")
    assert "0 of them new or changed" in again.stderr
    assert "--touch" not in again.stderr
