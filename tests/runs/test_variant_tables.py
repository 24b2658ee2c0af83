import re

import pytest

from clef.params.schema import ParamsError
from clef.runs.load import load_params
from clef.runs.variant_tables import refuse_table, require_full_method, require_other_data
from tests.runs.conftest import BASE, PLUS, write


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, None),
        ({"pretrain": {"from": "full"}, "finetune": {"image_norm": "standardised", "names_descriptions": 0.5}}, None),
        ({"pretrain": None}, "has no stage 1"),
        ({"finetune": {"head": "linear"}}, "finetune.head is linear"),
        ({"finetune": {"names_descriptions": 0}}, "finetune.names_descriptions is 0.0"),
        ({"finetune": {"image_descriptions": 1}}, "finetune.image_descriptions is 1.0"),
        ({"finetune": {"freeze_text": True}}, "finetune.freeze_text is True"),
        ({"pretrain": {"image_text": 0}}, "pretrain.image_text is 0.0"),
        ({"pretrain": {"batches": "random"}}, "pretrain.batches is random"),
        ({"pretrain": {"from": "images"}}, "pretrain.image_text is 0.0"),
    ],
)
def test_tables_are_made_of_runs_with_the_full_method(tmp_path, values, problem):
    write(tmp_path, "full", **BASE)
    write(tmp_path, "images", **BASE, pretrain={"image_text": 0})
    write(tmp_path, "run", **BASE | values)
    if problem is None:
        require_full_method("run", tmp_path)
        return
    with pytest.raises(ParamsError, match=re.escape(f"run: {problem}, and a table of variants is made of a run with")):
        require_full_method("run", tmp_path)


def test_runs_count_as_one_if_they_differ_in_their_data_and_share_no_subjects(tmp_path):
    files = {
        "demo": BASE,
        "plus": PLUS,
        "tuned": BASE | {"tune": {}},
        "renamed": BASE | {"dataset": {"adapter": "demo", "name": "renamed"}},
        "longer": PLUS | {"finetune": {"epochs": 11}},
    }
    params = {name: load_params(write(tmp_path, name, **values)) for name, values in files.items()}
    require_other_data(["demo", "plus"], [params["demo"], params["plus"]])
    for other, message in {
        "tuned": "tuned: has the same subjects as demo, which would count twice",
        "renamed": "renamed: has the same subjects as demo",
        "longer": "longer: finetune differs from that of demo; expected runs that differ in their data only",
    }.items():
        with pytest.raises(ParamsError, match=message):
            require_other_data(["demo", other], [params["demo"], params[other]])
    with pytest.raises(ParamsError, match="tuned: has the same subjects as demo"):
        require_other_data(["demo", "plus", "tuned"], [params[name] for name in ("demo", "plus", "tuned")])


@pytest.mark.parametrize(
    ("run", "table", "message"),
    [
        ("demo", "abblation", "results/demo/abblation.csv: no such table; did you mean ablation?"),
        ("demo", "sumary", "results/demo/sumary.csv: no such table; did you mean summary?"),
        ("demo@linear", "core", "is made of a run and not of a variant; ask for results/demo/core.csv"),
        ("demo@linear", "corr", "results/demo@linear/corr.csv: no such table; expected one of summary, probe"),
    ],
)
def test_a_table_that_cannot_be_is_one_line(run, table, message):
    with pytest.raises(ParamsError, match=re.escape(message)):
        refuse_table(run, table)
