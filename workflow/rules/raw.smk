# Raw data in the rules: digests that make results stale, and the code that reads the data.
from functools import cache

from clef.ingest.versions.digests import RawDigests
from clef.ingest.versions.pointers import changes, existing_pointers
from clef.runs.source_files import source_files
from clef.runtime.paths import interim_folder, raw_folder

# Compare the sizes of at most this many versioned raw files when Snakemake starts. It takes a second or two, even on a
# network disk.
MOST_COMPARED = 5000


def dataset_of(wildcards):
    return of_dataset(wildcards).dataset


@cache
def digests(dataset):
    """Digests of a raw copy. Completing a copy later makes only the completed parts stale."""
    memory = interim_folder(dataset.name) / "raw-digests.json"
    return checked(RawDigests, dataset, raw_folder(dataset.name), memory)


def remember_digests(datasets):
    for name in datasets:
        digests(RUNS.over(name).dataset).remember()


@cache
def warn_of_changes(dataset):
    """Warn of raw files that differ from their pointers. These make nothing stale; `ingest` compares all files."""
    if workflow.is_main_process:
        root = raw_folder(dataset.name)
        for change in checked(changes, dataset, root, MOST_COMPARED):
            print(f"CLEF: warning: {change}", file=sys.stderr)


def completion_marker(wildcards):
    """The file that completes a rendered data set; none for others, and none if DVC versions the set."""
    dataset = dataset_of(wildcards)
    warn_of_changes(dataset)
    marker, root = dataset.completion_marker(), raw_folder(dataset.name)
    return [] if marker is None or existing_pointers(dataset, root) else root / marker


def ingest_settings(wildcards):
    """Settings of `ingest`, options of the data set, and a digest of the copy."""
    run = of_dataset(wildcards)
    options = {"dataset": run.params.tracked("dataset")}
    return run.params.tracked("ingest") | options | {"raw": digests(run.dataset).whole}


def crop_settings(wildcards):
    """Settings of the crops, options of the data set that change them, and a digest of the shard."""
    run = of_crops(wildcards)
    settings = run.params.tracked("crop")
    if run.dataset.crop_options:
        options = run.dataset.options.model_dump(include=run.dataset.crop_options)
        settings |= {"options": options}
    return settings | {"raw": digests(dataset_of(wildcards)).shard(wildcards.shard)}


def ingest_code(wildcards):
    """Modules that list recordings and read labels. Modules that only check them make nothing stale."""
    adapter = of_dataset(wildcards).params.dataset.adapter
    modules = source_files(f"clef.datasets.{adapter}", within=("clef.datasets",))
    return [*source_files("clef.ingest.tables", within=("clef.ingest",)), *modules]
