"""Rules for every adapter, and how adapters are found."""

import pytest

from clef.datasets import adapter_of, adapters, open_dataset
from clef.params.schema import DatasetParams, Params, ParamsError

LABEL_OPTIONS = {"leave_out", "labels", "tested", "activities", "test_share", "seed"}
"""Options that change labels and splits, which the manifest holds."""
RECORDING_OPTIONS = {"subjects", "links"}
"""Options that change which recordings there are, and so the shards."""


def adapter(name):
    return adapter_of(Params(dataset=DatasetParams(adapter=name)))


def test_modules_without_an_adapter_are_not_adapters():
    assert {"bp4d", "disfa", "demo", "rafdb"} <= set(adapters())
    assert not {"base", "published_counts", "readers"} & set(adapters())
    with pytest.raises(ParamsError, match=r"dataset\.adapter: no adapter base; expected one of affectnet, "):
        adapter("base")


@pytest.mark.parametrize("name", adapters())
def test_partitions_name_existing_subjects_once(name):
    own = adapter(name)
    for partition, folds in own.partitions.items():
        labels = {"action_units": [1, 2, 4]}
        params = Params.model_validate({"dataset": {"adapter": name}, "labels": labels, "pretrain": None})
        subjects = [subject for fold in folds for subject in fold]
        assert len(folds) > 1, partition
        assert all(folds), partition
        assert len(set(subjects)) == len(subjects), partition
        assert set(subjects) <= set(open_dataset(params).subjects()), partition
    assert own.published_as.keys() <= own.partitions.keys()


@pytest.mark.parametrize("name", adapters())
def test_every_option_changes_crops_labels_or_recordings(name):
    own = adapter(name)
    assert own.crop_options <= own.Options.model_fields.keys()
    assert own.Options.model_fields.keys() - own.crop_options <= LABEL_OPTIONS | RECORDING_OPTIONS


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("disfa", {"camara": "left"}, "camara: unknown key; did you mean camera?"),
        ("rafdb", {"image": "aligned"}, "image: unknown key; did you mean images?"),
        ("bp4d", {"subjects": ["F001", "F042"]}, "subjects: BP4D has no subject F042; expected some of F001, F002"),
        ("bp4d", {"subjects": ["F001", "F001"]}, "subjects: expected each subject once"),
        ("bp4d", {"subjects": []}, "subjects: list should have at least 1 item"),
        ("bp4d", {"first_image": 2}, "first_image: input should be 'auto', 0 or 1"),
    ],
)
def test_options_are_checked_when_an_adapter_is_opened(name, options, message):
    labels = (
        {"kind": "expressions", "expressions": ["neutral", "fear"]} if name == "rafdb" else {"action_units": [1, 2]}
    )
    params = Params.model_validate({"dataset": {"adapter": name, "options": options}, "labels": labels})
    with pytest.raises(ParamsError) as caught:
        open_dataset(params)
    assert str(caught.value).startswith(f"dataset.options.{message}")
