"""Rules for every adapter, and how adapters are found."""

import pytest

from clef.datasets import adapter_of, adapters
from clef.params.schema import ParamsError
from tests.datasets.opened import action_units, expressions

LABEL_OPTIONS = {"absent_elsewhere", "activities", "classes", "labels", "leave_out", "seed", "test_share", "tested"}
"""Options that change labels and splits, which the manifest holds."""
RECORDING_OPTIONS = {"subjects", "links"}
"""Options that change which recordings there are, and so the shards."""


def test_modules_without_an_adapter_are_not_adapters():
    assert {"bp4d", "disfa", "demo", "rafdb"} <= set(adapters())
    assert not {"base", "published_counts", "readers"} & set(adapters())
    with pytest.raises(ParamsError, match=r"dataset\.adapter: no adapter base; expected one of affectnet, "):
        adapter_of("base")


def test_the_people_of_the_demo_data_sets_are_rendered():
    assert [name for name in adapters() if adapter_of(name).rendered] == ["demo", "demo_expr"]


@pytest.mark.parametrize("name", adapters())
def test_every_option_changes_crops_labels_or_recordings(name):
    own = adapter_of(name)
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
    with pytest.raises(ParamsError) as caught:
        (expressions if name == "rafdb" else action_units)(name, **options)
    assert str(caught.value).startswith(f"dataset.options.{message}")
