"""What holds for every adapter, and how one is found."""

from pathlib import Path

import pytest

from clef import datasets
from clef.datasets import adapter_of, adapters, modules_of, open_dataset
from clef.params.schema import DatasetParams, Params, ParamsError

PACKAGE = Path(datasets.__file__).parent


def adapter(name):
    return adapter_of(Params(dataset=DatasetParams(adapter=name)))


def test_modules_that_hold_no_adapter_are_none():
    assert {"bp4d", "disfa", "demo", "rafdb"} <= set(adapters())
    assert not {"base", "published_counts", "csv_file"} & set(adapters())
    with pytest.raises(ParamsError, match=r"dataset\.adapter: no adapter csv_file; expected one of affectnet, "):
        adapter("csv_file")


@pytest.mark.parametrize("name", adapters())
def test_partitions_name_subjects_once(name):
    own = adapter(name)
    for partition, folds in own.partitions.items():
        subjects = [subject for fold in folds for subject in fold]
        assert len(folds) > 1, partition
        assert all(folds), partition
        assert len(set(subjects)) == len(subjects), partition
        assert len(own.published_as.get(partition, folds)) == len(folds), partition
    assert own.published_as.keys() <= own.partitions.keys()


@pytest.mark.parametrize("name", [name for name in adapters() if adapter(name).partitions])
def test_partitions_are_of_the_subjects_that_there_are(name):
    labels = {"action_units": [1, 2, 4]}
    params = Params.model_validate({"dataset": {"adapter": name}, "labels": labels, "pretrain": None})
    subjects = set(open_dataset(params).subjects())
    for partition, folds in adapter(name).partitions.items():
        strange = {subject for fold in folds for subject in fold} - subjects
        assert not strange, partition


def test_an_adapter_is_made_of_what_it_imports_and_nothing_else():
    made_of = modules_of("bp4d")
    assert {"bp4d", "base", "readers/occurrence_csv", "readers/csv_file"} <= set(made_of)
    assert not {"rafdb", "demo", "ferplus"} & set(made_of)
    assert modules_of("affectnet") == sorted({*modules_of("affectnet"), "affectnet_releases"})
    assert all((PACKAGE / f"{name}.py").exists() for name in made_of)


def test_options_are_checked_where_an_adapter_is_opened():
    params = {"dataset": {"adapter": "disfa", "options": {"camara": "left"}}, "labels": {"action_units": [1, 2]}}
    with pytest.raises(ParamsError, match=r"dataset\.options\.camara: unknown key; did you mean camera\?"):
        open_dataset(Params.model_validate(params))
