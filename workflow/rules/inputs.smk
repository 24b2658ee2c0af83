# Inputs of the rules that depend on the params.
from pathlib import Path

from clef.errors import ClefError
from clef.runs.load import stage1_source
from clef.weights.releases import (
    DETECTOR_RELEASES,
    detector_weights,
    fetchable,
    model_note,
)


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


def crops_folder(run):
    return f"data/interim/{RUNS[run].dataset.name}/{RUNS[run].crop_digest}"


def shards_of(run):
    return [f"{crops_folder(run)}/{shard}.arrow" for shard in DATASETS[run].shards()]


def manifest_of(run):
    return f"data/processed/{RUNS[run].dataset.name}/{RUNS[run].crop_digest}/manifest.parquet"


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
    files = [model.pretrained, f"clef/model/configs/{model.name}.json"]
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


def sentence_templates(wildcards):
    return vars(TEMPLATES[wildcards.run])


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
