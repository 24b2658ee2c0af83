"""That a change of an option makes anew what depends on it, for every adapter."""

import importlib

import pytest

from clef.datasets import adapters

LABELS_ONLY = {"leave_out", "labels", "tested", "activities", "test_share", "seed"}
"""Options of labels and splits, which the manifest holds."""
CHOOSE_RECORDINGS = {"subjects", "links"}
"""Options of which recordings there are: shards of their own, or none."""


@pytest.mark.parametrize("adapter", adapters())
def test_every_option_is_known_to_decide_crops_or_not(adapter):
    kind = importlib.import_module(f"clef.datasets.{adapter}").ADAPTER
    undecided = {*kind.Options.model_fields} - kind.crop_options
    assert kind.crop_options <= {*kind.Options.model_fields}
    assert undecided <= LABELS_ONLY | CHOOSE_RECORDINGS
