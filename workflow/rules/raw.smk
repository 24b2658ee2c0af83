# Raw data: pointers where it has a version, digests of what lies there where it has none, and the code that reads it.
import sys
from functools import cache
from pathlib import Path

from clef.datasets import modules_of
from clef.ingest.versions.digests import Listing
from clef.ingest.versions.pointers import (
    LABELS,
    changes,
    existing_pointers,
    pointer_names,
    pointer_path,
)

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
    if not POINTERS[dataset] and DATASETS[run].completion_marker() is None
}


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
    marker = DATASETS[RUN_OF_DATASET[wildcards.dataset]].completion_marker()
    return [] if marker is None else str(root / marker)


def all_raw(wildcards):
    warn_of_changes(wildcards.dataset)
    dataset = DATASETS[RUN_OF_DATASET[wildcards.dataset]]
    return raw_version(wildcards, *pointer_names(dataset))


def shard_raw(wildcards):
    dataset = DATASETS[RUN_OF_DATASET[wildcards.dataset]]
    return raw_version(wildcards, dataset.version_of(wildcards.shard))


def ingest_settings(wildcards):
    """Settings of `ingest`, how the copy is to be read, and what there is to list."""
    params = of_dataset(wildcards)
    settings = params.tracked("ingest") | {"dataset": params.tracked("dataset")}
    listing = LISTINGS.get(wildcards.dataset)
    return settings if listing is None else settings | {"raw": listing.whole()}


def crop_settings(wildcards):
    """Settings of the crops, how the copy is to be read, and what there is of the shard."""
    settings = of_crops(wildcards).tracked("crop")
    dataset = DATASETS[RUN_OF_DATASET[wildcards.dataset]]
    if dataset.crop_options:
        settings |= {
            "options": dataset.options.model_dump(include=dataset.crop_options)
        }
    listing = LISTINGS.get(wildcards.dataset)
    return (
        settings
        if listing is None
        else settings | {"raw": listing.shard(wildcards.shard)}
    )


def manifest_settings(wildcards):
    """What of the settings the labels depend on, how they are to be read, and what there is of them."""
    params = of_dataset(wildcards)
    settings = params.tracked("ingest") | {"dataset": params.tracked("dataset")}
    listing = LISTINGS.get(wildcards.dataset)
    return settings if listing is None else settings | {"labels": listing.labels}


def labels_raw(wildcards):
    return raw_version(wildcards, LABELS)


def adapter_code(wildcards):
    """Modules that know a data set's layout and labels."""
    adapter = of_dataset(wildcards).dataset.adapter
    modules = [f"clef/datasets/{name}.py" for name in modules_of(adapter)]
    return ["clef/ingest/labels.py", *modules]
