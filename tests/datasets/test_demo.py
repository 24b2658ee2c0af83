from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.params.schema import Params


@pytest.fixture
def dataset():
    return open_dataset(Params.model_validate({"dataset": {"adapter": "demo"}, "render": {"subjects": 2}}))


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_what_bears_no_name_of_the_set_is_a_stranger_and_no_recording(dataset, tmp_path):
    put(tmp_path, "videos/F001/T1.mp4", "videos/M001/T6.mp4", "AUCoding/AU_OCC/F001_T1.csv")
    unexpected_files = [
        "AUCoding/AU_OCC/F001_T2.csv",  # of a recording that is not there
        "AUCoding/AU_OCC/F001_T1.CSV",
        "videos/F001/T1 (copy).mp4",
        "videos/F001/T2.MP4",
        "videos/F001/T9.mp4",  # no such activity
        "videos/F009/T1.mp4",  # no such subject
        "videos/Élodie/T1.mp4",
    ]
    put(tmp_path, *unexpected_files, "videos/F001/._T1.mp4", "videos/F001/.DS_Store")
    sequences = dataset.sequences(tmp_path)
    assert [sequence.sequence for sequence in sequences] == ["F001_T1", "M001_T6"]
    assert dataset.unexpected_files(tmp_path, sequences) == sorted(unexpected_files)


def test_a_set_without_any_labels_is_named(dataset, tmp_path):
    put(tmp_path, "videos/F001/T1.mp4")
    with pytest.raises(ClefError, match=r"AU_OCC: no labels of any recording; expected files such as F001_T1\.csv"):
        dataset.labels(tmp_path, dataset.sequences(tmp_path))
