# The runs of params/, checked; their data sets, folds and texts. All other rules speak of these.
import os
import re
import shlex
import sys

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.manifest.folds import make_folds
from clef.runs.load import load_runs, refuse_run
from clef.model.texts import activity_texts, label_templates, label_texts

# The `python` of the rules is the one that runs Snakemake, also where nobody activated its environment.
shell.prefix(f"export PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH; ")


def checked(what, *arguments, run=None):
    """Call something of the package; what the user can mend ends Snakemake with one line, and no stack of its own."""
    try:
        return what(*arguments)
    except ClefError as error:
        where = "" if run is None else f"params/{run}.yaml: "
        print(f"CLEF: error: {where}{error}", file=sys.stderr)
        sys.exit(1)


RUNS = checked(load_runs, "params")
DATASETS = {run: checked(open_dataset, params, run=run) for run, params in RUNS.items()}
FOLDS = {
    run: checked(make_folds, dataset, run=run) for run, dataset in DATASETS.items()
}
LABEL_TEXTS = {
    run: checked(label_texts, params.texts, params.labels, run=run)
    for run, params in RUNS.items()
}
TEMPLATES = {
    run: checked(label_templates, params.texts, run=run) for run, params in RUNS.items()
}
ACTIVITY_TEXTS = {
    run: checked(activity_texts, params.texts, DATASETS[run].activities, run=run)
    for run, params in RUNS.items()
}

# The rules before training belong to a data set and its crops; any run over them agrees on all that they need.
RUN_OF_DATASET = {RUNS[run].dataset.name: run for run in reversed(RUNS)}
RUN_OF_CROPS = {
    (RUNS[run].dataset.name, RUNS[run].crop_digest): run for run in reversed(RUNS)
}


wildcard_constraints:
    run="|".join(map(re.escape, RUNS)),
    dataset="|".join(map(re.escape, RUN_OF_DATASET)),
    crop="[0-9a-f]{8}",
    seed=r"\d+",
    fold=r"\d+|all",


def of_run(wildcards):
    return RUNS[wildcards.run]


def of_dataset(wildcards):
    return RUNS[RUN_OF_DATASET[wildcards.dataset]]


def of_crops(wildcards):
    return RUNS[RUN_OF_CROPS[wildcards.dataset, wildcards.crop]]


def section(of, name):
    """Settings of one stage; as `params:` they make only that stage stale."""
    return lambda wildcards: of(wildcards).tracked(name)
