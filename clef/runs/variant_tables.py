"""Which runs the tables of variants can be made of."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NoReturn

from clef.params.did_you_mean import suggestion
from clef.params.schema import FinetuneParams, Params, ParamsError, PretrainParams
from clef.runs.related_runs import load_run, same_subjects, stage1_source
from clef.runs.variants import Variant, tables

STAGE1_SWITCHES = ("image_image", "image_text", "positives", "permute_activities", "batches")
STAGE2_SWITCHES = ("head", "image_names", "names_descriptions", "image_descriptions", "freeze_image", "freeze_text")
"""Keys that define the full method, with the defaults of the schema. A loss may have another weight above 0."""


def require_full_method(run: str, folder: Path) -> None:
    """Raise a ParamsError if a run is not full CLEF, which the names of rows refer to."""
    runs = load_run(run, folder)
    source = stage1_source(runs, run, "all")
    if source is None:
        raise ParamsError(f"{run}: has no stage 1, and a table of variants is made of a run with the full method")
    of_stages = {
        "pretrain": (runs[source[0]].pretrain, PretrainParams(), STAGE1_SWITCHES),
        "finetune": (runs[run].finetune, FinetuneParams(), STAGE2_SWITCHES),
    }
    for section, (given, usual, switches) in of_stages.items():
        for key in switches:
            value, expected = getattr(given, key), getattr(usual, key)
            if _switched(value) != _switched(expected):
                raise ParamsError(
                    f"{run}: {section}.{key} is {value}, and a table of variants is made of a run with the full "
                    f"method; expected {expected}"
                )


def require_other_data(runs: Sequence[str], params: Sequence[Params]) -> None:
    """Raise a ParamsError if runs cannot count as one: they share subjects, or differ in more than their data."""
    for (name, one), (other_name, other) in combinations(zip(runs, params, strict=True), 2):
        if same_subjects(one, other):
            raise ParamsError(
                f"{other_name}: has the same subjects as {name}, which would count twice; expected runs over other data"
            )
        for section in Params.model_fields:
            if section not in ("dataset", "render") and one.tracked(section) != other.tracked(section):
                raise ParamsError(
                    f"{other_name}: {section} differs from that of {name}; expected runs that differ in their data only"
                )


def refuse_table(run: str, name: str) -> NoReturn:
    """Say what is wrong with a table of a run that no rule makes."""
    base = Variant.parse(run).base
    if name in tables():
        raise ParamsError(
            f"results/{run}/{name}.csv: a table of variants is made of a run and not of a variant; "
            f"ask for results/{base}/{name}.csv"
        )
    known = ["summary", "probe", *(tables() if run == base else ())]
    raise ParamsError(f"results/{run}/{name}.csv: no such table; {suggestion(name, known)}")


def _switched(value: Any) -> Any:
    """Whether a loss is on, or the value of another key."""
    return value > 0 if isinstance(value, float) else value
