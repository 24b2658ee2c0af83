# What stands for raw data in the rules: DVC's pointers if a data set has them, else digests of its files; and the code
# that reads it.
from functools import cache

from clef.ingest.versions.digests import Listing
from clef.ingest.versions.pointers import (
    LABELS,
    changes,
    existing_pointers,
    pointer_names,
    pointer_path,
)
from clef.runs.source_files import source_files
from clef.runtime.paths import interim_folder, raw_folder

# Sizes of at most so many versioned raw files are compared when Snakemake starts: a second or two, also on a network.
MOST_COUNTED = 5000


def dataset_of(wildcards):
    return of_dataset(wildcards).dataset


# Pointers are small, so Snakemake compares their contents and not their times.
@cache
def pointers(dataset):
    return checked(existing_pointers, dataset, raw_folder(dataset.name))


# A copy without pointers that is completed later makes stale what it completes.
@cache
def listing(dataset):
    """Digests of a copy; None if it has pointers or is rendered."""
    if pointers(dataset) or dataset.completion_marker() is not None:
        return None
    return Listing(
        dataset,
        raw_folder(dataset.name),
        interim_folder(dataset.name) / "listing.json",
    )


def remember_listings(datasets):
    for name in datasets:
        if found := listing(RUNS.over(name).dataset):
            found.remember()


@cache
def warn_of_changes(dataset):
    """Warn of raw files that differ from their pointers, which make nothing stale; `ingest` checks very many files."""
    if workflow.is_main_process:
        for change in checked(changes, dataset, raw_folder(dataset.name), MOST_COUNTED):
            print(f"CLEF: warning: {change}", file=sys.stderr)


def raw_version(dataset, *names):
    """Pointers of these names; without any, the file that a rendered data set is complete with, or nothing."""
    root = raw_folder(dataset.name)
    if pointers(dataset):
        wanted = {pointer_path(root, name) for name in names}
        return [path for path in pointers(dataset) if path in wanted]
    marker = dataset.completion_marker()
    return [] if marker is None else root / marker


def all_raw(wildcards):
    dataset = dataset_of(wildcards)
    warn_of_changes(dataset)
    return raw_version(dataset, *pointer_names(dataset))


def shard_raw(wildcards):
    dataset = dataset_of(wildcards)
    return raw_version(dataset, dataset.version_of(wildcards.shard))


def labels_raw(wildcards):
    return raw_version(dataset_of(wildcards), LABELS)


def ingest_settings(wildcards):
    """Settings of `ingest`, options of the data set, and a digest of the copy."""
    params, found = of_dataset(wildcards).params, listing(dataset_of(wildcards))
    settings = params.tracked("ingest") | {"dataset": params.tracked("dataset")}
    return settings if found is None else settings | {"raw": found.whole()}


def crop_settings(wildcards):
    """Settings of the crops, options of the data set that change them, and a digest of the shard."""
    run, found = of_crops(wildcards), listing(dataset_of(wildcards))
    settings = run.params.tracked("crop")
    if run.dataset.crop_options:
        options = run.dataset.options.model_dump(include=run.dataset.crop_options)
        settings |= {"options": options}
    return (
        settings if found is None else settings | {"raw": found.shard(wildcards.shard)}
    )


def manifest_settings(wildcards):
    """Settings that the labels depend on, options of the data set, and a digest of the labels."""
    params, found = of_dataset(wildcards).params, listing(dataset_of(wildcards))
    settings = params.tracked("ingest") | {"dataset": params.tracked("dataset")}
    return settings if found is None else settings | {"labels": found.labels}


def adapter_code(wildcards):
    """Modules that know a data set's layout and labels."""
    adapter = of_dataset(wildcards).params.dataset.adapter
    modules = source_files(f"clef.datasets.{adapter}", within=("clef.datasets",))
    return ["clef/ingest/labels.py", *modules]
