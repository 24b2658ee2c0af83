# Weights of face detectors and models, as inputs.
from clef.runs.source_files import package_files
from clef.runtime.paths import crops_folder
from clef.weights.normalisation import CONFIG
from clef.weights.releases import (
    DETECTOR_RELEASES,
    detector_weights,
    fetchable,
    model_note,
)


def crop_weights(wildcards):
    """The detector's weights. Published weights are fetched, unless crops exist, which a new file would make stale.

    Other weights that are missing are an error before anything runs.
    """
    crop = of_crops(wildcards).params.crop
    path = fetchable(crop.detector, crop.weights)
    folder = crops_folder(wildcards.dataset, wildcards.crop)
    if path is None or any(folder.glob("*.arrow")):
        path = checked(detector_weights, crop.detector, crop.weights)
    return path or []


def model_weights(wildcards):
    """Notes that published weights were fetched, for a run and the runs whose stage 1 it starts from."""
    folds = [fold.number for fold in of_run(wildcards).folds]
    sources = [RUNS.stage1(wildcards.run, fold) for fold in folds]
    runs = {wildcards.run, *(source[0] for source in sources if source)}
    models = [RUNS[run].params.model for run in runs]
    notes = [checked(model_note, model.name, model.pretrained) for model in models]
    return sorted(str(note) for note in notes if note is not None)


def model_files(wildcards):
    """The weights file if `model.pretrained` is a path, with its config, and the architecture file if it is CLEF's."""
    model = of_run(wildcards).params.model
    architecture = package_files(f"clef/model/configs/{model.name}.json")
    if model.pretrained is None or not Path(model.pretrained).is_file():
        return architecture
    beside = Path(model.pretrained).with_name(CONFIG)
    return [
        model.pretrained,
        *([str(beside)] if beside.is_file() else []),
        *architecture,
    ]


def published_name(wildcards):
    """Name of the detector or model (MODEL/TAG) that a file in weights/ belongs to."""
    detectors = {release.file: name for name, release in DETECTOR_RELEASES.items()}
    model, _, tag = wildcards.file.removesuffix(".json").partition(".")
    return detectors.get(wildcards.file, f"{model}/{tag}")
