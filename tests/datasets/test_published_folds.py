import pytest

from clef.datasets.bp4d import Bp4d
from clef.datasets.bp4dplus import Bp4dPlus
from clef.datasets.disfa import SUBJECTS, Disfa


@pytest.mark.parametrize("dataset", [Bp4d, Bp4dPlus, Disfa])
def test_published_folds_test_every_subject_once(dataset):
    subjects = set(SUBJECTS if dataset is Disfa else dataset.all_subjects)
    for partition, folds in dataset.partitions.items():
        left_out = {"F082"} if partition == "bigsmall" else set()
        assert sorted(subject for fold in folds for subject in fold) == sorted(subjects - left_out)
        assert len(dataset.published_as[partition]) == len(folds)
