import copy

import pytest

from clef.training.provenance import training_key

SIDECAR = {"seed": 0, "fold": 1, "manifest": "m", "package": "p", "finetune": {"lr": 0.1, "epochs": 2}}


def test_the_package_text_is_not_in_the_key():
    assert training_key(SIDECAR) == training_key({**SIDECAR, "package": "another"})


@pytest.mark.parametrize("name", [name for name in SIDECAR if name != "package"])
def test_everything_else_is(name):
    assert training_key(SIDECAR) != training_key({**SIDECAR, name: "another"})


def test_a_setting_within_a_section_is():
    other = copy.deepcopy(SIDECAR)
    other["finetune"]["lr"] = 0.2
    assert training_key(SIDECAR) != training_key(other)


def test_the_order_of_entries_is_not():
    assert training_key(SIDECAR) == training_key(dict(reversed(SIDECAR.items())))
