import os
import re
import shlex
import sys
from functools import cache
from pathlib import Path

from clef.cuda import gpus_here
from clef.datasets import modules_of, open_dataset
from clef.errors import ClefError
from clef.folds import make_folds
from clef.listing import Listing
from clef.params import FINETUNE_SECTIONS, PRETRAIN_SECTIONS
from clef.pointers import (
    LABELS,
    changes,
    existing_pointers,
    pointer_names,
    pointer_path,
)
from clef.runs import load_runs, stage1_source
from clef.texts import activity_texts, label_texts
from clef.weights import (
    DETECTOR_RELEASES,
    detector_weights,
    fetchable,
    model_note,
)

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
ACTIVITY_TEXTS = {
    run: checked(activity_texts, params.texts, DATASETS[run].activities, run=run)
    for run, params in RUNS.items()
}

# The rules before training belong to a data set and its crops; any run over them agrees on all that they need.
RUN_OF_DATASET = {RUNS[run].dataset.name: run for run in reversed(RUNS)}
RUN_OF_CROPS = {
    (RUNS[run].dataset.name, RUNS[run].crop_digest): run for run in reversed(RUNS)
}

# A data set that DVC versions has pointers; they are small, so that Snakemake compares what they say and not their time.
POINTERS = {
    dataset: existing_pointers(DATASETS[run], Path("data/raw", dataset))
    for dataset, run in RUN_OF_DATASET.items()
}

# Raw files of a versioned data set whose sizes are looked at when Snakemake starts: a second or two, also on a network.
MOST_COUNTED = 5000

# What a data set without pointers holds: a copy that is completed later makes stale what it completes.
LISTINGS = {
    dataset: Listing(
        DATASETS[run],
        Path("data/raw", dataset),
        Path("data/interim", dataset, "listing.json"),
    )
    for dataset, run in RUN_OF_DATASET.items()
    if not POINTERS[dataset] and DATASETS[run].made_by() is None
}


def published_note(model):
    """The note that a model's published weights were fetched; None where it starts from a file, or from nothing."""
    try:
        return model_note(model.name, model.pretrained)
    except ClefError:
        return None  # a file that is not there: told where a run that is asked for needs it


# What `clef fetch-weights` makes in `weights/`, and whose it is.
PUBLISHED = {release.file: name for name, release in DETECTOR_RELEASES.items()} | {
    note.name: f"{model.name}/{model.pretrained}"
    for model in (params.model for params in RUNS.values())
    if (note := published_note(model)) is not None
}

# None under an executor, where they are elsewhere, and inside its jobs, which must ask for what was submitted.
ELSEWHERE = workflow.remote_exec or workflow.resource_settings.nodes is not None
CORES = None if ELSEWHERE else workflow.resource_settings.cores

# How often a job is tried again that no time limit stops: on a cluster a node may have been at fault.
FEW = 2 if ELSEWHERE else None

# Snakemake ignores resource limits that nobody set: without this, `--cores 8` would start two trainings on one GPU.
# Each job takes GPUs of its own. `--resources gpu=N` still wins. Not under an executor, where it would serialise the
# cluster, nor inside its jobs.
if workflow.is_main_process and not ELSEWHERE:
    workflow.global_resources.setdefault("gpu", max(gpus_here(), 1))


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


def gpus(of, name=None):
    """One GPU where the settings ask for cuda, none elsewhere."""
    return lambda wildcards: int(
        (getattr(of(wildcards), name) if name else of(wildcards)).device == "cuda"
    )


def training_gpus(wildcards):
    """GPUs of a training: each of its processes has one."""
    run = of_run(wildcards)
    return run.gpus if run.device == "cuda" else 0


def training_threads(wildcards):
    run = of_run(wildcards)
    return run.gpus * run.threads


def training_memory(wildcards):
    """Of a large model's processes, with those that decode beside them."""
    return 16000 * of_run(wildcards).gpus


def attempt_number(wildcards, attempt):
    return attempt


def cluster_limits(wildcards, resources):
    """What a training is told of a cluster's job: its time limit, before which it saves and stops, since no signal
    reaches it there, and which try it is. Nothing on a machine of one's own. For its argument `resources`, Snakemake keeps
    it out of what makes a result stale.
    """
    if not workflow.remote_exec:
        return []
    return ["--time-budget", resources.runtime, "--attempt", resources.attempt]


def crops_folder(run):
    return f"data/interim/{RUNS[run].dataset.name}/{RUNS[run].crop_digest}"


def shards_of(run):
    return [f"{crops_folder(run)}/{shard}.arrow" for shard in DATASETS[run].shards()]


def manifest_of(run):
    return f"data/processed/{RUNS[run].dataset.name}/{RUNS[run].crop_digest}/manifest.parquet"


@cache
def warn_of_changes(dataset):
    """Raw files that nobody gave a version to make nothing stale: it is said where Snakemake would say that nothing is to
    be done. Of a set of very many files the step `ingest` alone looks at all.
    """
    if workflow.is_main_process:
        found = checked(
            changes,
            DATASETS[RUN_OF_DATASET[dataset]],
            Path("data/raw", dataset),
            MOST_COUNTED,
        )
        for change in found:
            print(f"CLEF: warning: {change}", file=sys.stderr)


def raw_version(wildcards, *names):
    """What stands for raw data: its pointers where it is versioned; else, if the project makes it, the file that says
    that it is complete."""
    root = Path("data/raw", wildcards.dataset)
    if POINTERS[wildcards.dataset]:
        wanted = {pointer_path(root, name) for name in names}
        return [str(path) for path in POINTERS[wildcards.dataset] if path in wanted]
    marker = DATASETS[RUN_OF_DATASET[wildcards.dataset]].made_by()
    return [] if marker is None else str(root / marker)


def all_raw(wildcards):
    warn_of_changes(wildcards.dataset)
    dataset = DATASETS[RUN_OF_DATASET[wildcards.dataset]]
    return raw_version(wildcards, *pointer_names(dataset))


def shard_raw(wildcards):
    dataset = DATASETS[RUN_OF_DATASET[wildcards.dataset]]
    return raw_version(wildcards, dataset.version_of(wildcards.shard))


def ingest_settings(wildcards):
    """Settings of `ingest`, and what there is to list."""
    settings, listing = (
        of_dataset(wildcards).tracked("ingest"),
        LISTINGS.get(wildcards.dataset),
    )
    return settings if listing is None else settings | {"raw": listing.whole()}


def crop_settings(wildcards):
    """Settings of the crops, and what there is of the shard."""
    settings, listing = (
        of_crops(wildcards).tracked("crop"),
        LISTINGS.get(wildcards.dataset),
    )
    return (
        settings
        if listing is None
        else settings | {"raw": listing.shard(wildcards.shard)}
    )


def labels_raw(wildcards):
    return raw_version(wildcards, LABELS)


def adapter_code(wildcards):
    """Modules that know a data set's layout and labels."""
    adapter = of_dataset(wildcards).dataset.adapter
    modules = [f"clef/datasets/{name}.py" for name in modules_of(adapter)]
    return ["clef/labels.py", *modules]


def crop_weights(wildcards):
    """The detector's weights. The project's own releases are fetched; others that are missing are told before anything
    runs, and so are the releases where crops were made with them already: a new file would make all of those stale.
    """
    crop = of_crops(wildcards).crop
    path = fetchable(crop.detector, crop.weights)
    if path is not None and not any(
        Path("data/interim", wildcards.dataset, wildcards.crop).glob("*.arrow")
    ):
        return str(path)
    path = checked(detector_weights, crop.detector, crop.weights)
    return [] if path is None else str(path)


def model_weights(wildcards):
    """The note that the model's published weights were fetched, for a run and those whose stage 1 it starts from."""
    sources = [
        stage1_source(RUNS, wildcards.run, str(fold.number))
        for fold in FOLDS[wildcards.run]
    ]
    runs = {wildcards.run, *(source[0] for source in sources if source)}
    notes = {
        checked(model_note, RUNS[run].model.name, RUNS[run].model.pretrained, run=run)
        for run in runs
    }
    return sorted(str(note) for note in notes if note is not None)


def model_files(wildcards):
    """The file that the model starts from, if `model.pretrained` is one and no tag, and an architecture of our own."""
    model = of_run(wildcards).model
    files = [model.pretrained, f"clef/model_configs/{model.name}.json"]
    return [path for path in files if path and Path(path).is_file()]


def joining(wildcards):
    """Runs over other data sets that take part in a stage 1."""
    return of_run(wildcards).pretrain.also


def joining_inputs(wildcards):
    """Manifests and crops of these data sets."""
    return [
        path
        for run in joining(wildcards)
        for path in [manifest_of(run), *shards_of(run)]
    ]


def joining_options(wildcards):
    return [
        option
        for run in joining(wildcards)
        for option in [
            "--also-manifest",
            manifest_of(run),
            "--also-crops",
            crops_folder(run),
        ]
    ]


def activity_sentences(wildcards):
    """The texts themselves: an edited texts file makes stale what used it."""
    return [ACTIVITY_TEXTS[run] for run in [wildcards.run, *joining(wildcards)]]


def label_sentences(wildcards):
    return [[text.name, text.description] for text in LABEL_TEXTS[wildcards.run]]


def stage1(wildcards):
    """Stage 1 that a fine-tuning starts from: its own, another run's, or none."""
    source = stage1_source(RUNS, wildcards.run, wildcards.fold)
    if source is None:
        return []
    run, fold = source
    return f"results/{run}/seed{wildcards.seed}/fold{fold}/pretrain.safetensors"


def test_inputs(wildcards):
    """Manifest and crops of the other data set that a run tests, if it does."""
    test = of_run(wildcards).test
    return [] if test is None else [manifest_of(test.run), *shards_of(test.run)]


def test_labels(wildcards):
    """How the run over the other data set reads its labels."""
    test = of_run(wildcards).test
    return [] if test is None else RUNS[test.run].tracked("labels")


def test_options(wildcards):
    test = of_run(wildcards).test
    if test is None:
        return []
    return [
        "--test-manifest",
        manifest_of(test.run),
        "--test-crops",
        crops_folder(test.run),
    ]


def inner_predictions(wildcards):
    """Predictions for the training subjects that `tune` holds out, if the run tunes."""
    if of_run(wildcards).tune is None:
        return []
    return "results/{run}/seed{seed}/fold{fold}/inner.epochs.parquet".format(
        **wildcards
    )


def all_metrics(wildcards):
    return expand(
        "results/{run}/seed{seed}/fold{fold}/metrics.json",
        run=wildcards.run,
        seed=RUNS[wildcards.run].seeds,
        fold=[fold.number for fold in FOLDS[wildcards.run]],
    )
