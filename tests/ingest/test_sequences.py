import json
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.demo.render import render_demo
from clef.errors import ClefError
from clef.ingest.sequences import ingest, read_sequences, shard_sequences
from clef.params.schema import Params


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("raw")
    render_demo(params().render, root, workers=1)
    return root


def params(max_bad: float = 0.0) -> Params:
    return Params.model_validate(
        {
            "dataset": {"adapter": "demo"},
            "render": {"subjects": 2, "activities": 2, "size": 160, "seconds": [0.6, 0.8]},
            "folds": {"number": 2},
            "ingest": {"max_bad": max_bad},
        }
    )


def copy(raw: Path, folder: Path) -> Path:
    for path in raw.rglob("*.*"):
        (folder / path.relative_to(raw)).parent.mkdir(parents=True, exist_ok=True)
        (folder / path.relative_to(raw)).write_bytes(path.read_bytes())
    return folder


def test_every_video_is_listed_with_its_facts(raw, tmp_path):
    ingest(open_dataset(params()), raw, tmp_path / "s.parquet")
    sequences = read_sequences(tmp_path / "s.parquet")
    assert [s.sequence for s in sequences] == ["F001_T1", "F001_T2", "M001_T1", "M001_T2"]
    for sequence in sequences:
        assert (sequence.width, sequence.height, sequence.fps, sequence.first_frame) == (160, 160, 25.0, 1)
        assert sequence.frames is not None
        assert 15 <= sequence.frames <= 20
        assert sequence.problem is None
    assert shard_sequences(open_dataset(params()), raw, "M001") == sequences[2:]


def test_broken_videos_are_listed_up_to_the_share_allowed(raw, tmp_path):
    root = copy(raw, tmp_path / "raw")
    (root / "videos" / "F001" / "T2.mp4").write_bytes(b"")
    ingest(open_dataset(params(max_bad=0.25)), root, tmp_path / "s.parquet")
    (broken,) = [s for s in read_sequences(tmp_path / "s.parquet") if s.problem]
    assert broken.sequence == "F001_T2"
    with pytest.raises(ClefError, match=r"1 of 4 recordings missing or unreadable, .* 0: videos/F001/T2\.mp4"):
        ingest(open_dataset(params(max_bad=0.2)), root, tmp_path / "none.parquet")
    assert not (tmp_path / "none.parquet").exists()


def test_a_missing_recording_is_named(raw, tmp_path):
    root = copy(raw, tmp_path / "raw")
    (root / "videos" / "F001" / "T2.mp4").unlink()
    with pytest.raises(ClefError, match=r"1 of 4 recordings missing or unreadable, .*: F001_T2 \(missing\)"):
        ingest(open_dataset(params()), root, tmp_path / "s.parquet")


def test_a_missing_subject_is_named(raw, tmp_path):
    root = copy(raw, tmp_path / "raw")
    for path in (root / "videos" / "M001").iterdir():
        path.unlink()
    with pytest.raises(ClefError, match="1 of 2 subjects found; missing M001"):
        ingest(open_dataset(params()), root, tmp_path / "s.parquet")


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(ClefError, match="no recordings of demo found"):
        ingest(open_dataset(params()), tmp_path, tmp_path / "s.parquet")


def test_a_shard_is_listed_by_itself_as_it_is_among_all(raw, tmp_path):
    listed = ingest(open_dataset(params()), raw, tmp_path / "s.parquet")
    for shard in ("F001", "M001"):
        assert shard_sequences(open_dataset(params()), raw, shard) == [s for s in listed if s.shard == shard]


def test_a_shard_without_recordings_is_named(raw, tmp_path):
    with pytest.raises(ClefError, match="demo: no shard F002; expected one of F001, M001"):
        shard_sequences(open_dataset(params()), raw, "F002")
    with pytest.raises(ClefError, match="no recordings of M001 found"):
        shard_sequences(open_dataset(params()), tmp_path, "M001")


def write_pointer(root: Path, name: str, *paths: str) -> None:
    outs = [{"path": path, "size": (root / path).stat().st_size, "hash": "md5"} for path in paths]
    (root / f"{name}.dvc").write_text(json.dumps({"outs": outs}))


@pytest.fixture
def versioned(raw, tmp_path) -> Path:
    root = copy(raw, tmp_path / "raw")
    for subject in ("F001", "M001"):
        write_pointer(root, subject, *(f"videos/{subject}/{activity}.mp4" for activity in ("T1", "T2")))
    write_pointer(root, "labels", "render.json")
    return root


def test_versioned_recordings_that_were_not_fetched_are_named_before_missing_ones(versioned, tmp_path):
    (versioned / "videos" / "M001" / "T2.mp4").unlink()
    expected = r"not here, though versioned: M001; run `dvc pull \S+M001\.dvc`"
    with pytest.raises(ClefError, match=expected):
        ingest(open_dataset(params()), versioned, tmp_path / "s.parquet")
    with pytest.raises(ClefError, match=expected):
        shard_sequences(open_dataset(params()), versioned, "M001")
    assert len(shard_sequences(open_dataset(params()), versioned, "F001")) == 2


def test_raw_files_that_changed_since_they_were_versioned_are_told(versioned, tmp_path, caplog):
    ingest(open_dataset(params()), versioned, tmp_path / "s.parquet")
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == []
    video = versioned / "videos" / "M001" / "T2.mp4"
    video.write_bytes(video.read_bytes() + b"more")
    assert ingest(open_dataset(params()), versioned, tmp_path / "s.parquet")[3].file_size == video.stat().st_size
    (told,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "T2.mp4: 1 file and " in told
    assert "but M001.dvc records 1 file and " in told
