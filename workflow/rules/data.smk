from clef.weights.releases import (
    DETECTOR_RELEASES,
    detector_weights,
    fetchable,
    model_note,
)


def crop_weights(wildcards):
    """The detector's weights. Published ones are fetched, unless there are crops already, which a new file would make
    stale; others that are missing are an error before anything runs.
    """
    crop = of_crops(wildcards).params.crop
    path = fetchable(crop.detector, crop.weights)
    folder = Path("data/interim", wildcards.dataset, wildcards.crop)
    if path is None or any(folder.glob("*.arrow")):
        path = checked(detector_weights, crop.detector, crop.weights)
    return path or []


def model_weights(wildcards):
    """Notes that published weights were fetched, for a run and those whose stage 1 it starts from."""
    folds = [fold.number for fold in of_run(wildcards).folds]
    sources = [RUNS.stage1(wildcards.run, fold) for fold in folds]
    runs = {wildcards.run, *(source[0] for source in sources if source)}
    models = [RUNS.params[run].model for run in runs]
    notes = [checked(model_note, model.name, model.pretrained) for model in models]
    return sorted(str(note) for note in notes if note is not None)


def model_files(wildcards):
    """The file that the model starts from, if `model.pretrained` is one, and an architecture of CLEF's own."""
    model = of_run(wildcards).params.model
    files = [model.pretrained, f"clef/model/configs/{model.name}.json"]
    return [path for path in files if path and Path(path).is_file()]


def published_name(wildcards):
    """Name of the detector or model (MODEL/TAG) whose published weights a file of weights/ stands for."""
    detectors = {release.file: name for name, release in DETECTOR_RELEASES.items()}
    model, _, tag = wildcards.file.removesuffix(".json").partition(".")
    return detectors.get(wildcards.file, f"{model}/{tag}")


# Needs a network. It runs first and alone, so that missing weights are reported before anything long starts.
rule fetch_weights:
    output:
        "weights/{file}",
    log:
        "weights/{file}.log",
    wildcard_constraints:
        file="|".join(
            re.escape(release.file) for release in DETECTOR_RELEASES.values()
        )
        + r"|[\w+-]+\.[^/]+\.json",
    priority: 3
    localrule: True
    threads: ALL_CORES
    params:
        whose=published_name,
    shell:
        "python -m clef --log {log:q} fetch-weights {params.whose:q} --to {output:q}"


rule render_demo:
    output:
        "data/raw/{dataset}/render.json",
    log:
        "data/interim/{dataset}/render.log",
    retries: RETRIES
    threads: 8
    resources:
        mem_mb=4000,
        runtime="30m",
    params:
        section(of_dataset, "render"),
    shell:
        "python -m clef --log {log:q} render-demo {wildcards.dataset:q} --out data/raw/{wildcards.dataset:q}"
        " --workers {threads:q}"


# It runs before the cropping and alone, so that nothing long starts on a broken copy: it stops if one is not usable. On
# a cluster, and with `--keep-going`, Snakefile runs a quick check before the first job.
rule ingest:
    input:
        completion_marker,
        code=ingest_code,
    output:
        "data/interim/{dataset}/sequences.parquet",
        "data/interim/{dataset}/labels.parquet",
        "data/interim/{dataset}/check.txt",
    log:
        "data/interim/{dataset}/ingest.log",
    priority: 2
    retries: RETRIES
    threads: ALL_CORES
    resources:
        mem_mb=4000,
        runtime="2h",
    params:
        ingest_settings,
    shell:
        "python -m clef --log {log:q} ingest {wildcards.dataset:q} --raw data/raw/{wildcards.dataset:q}"
        " --out {output[0]:q}"


# The output of `ingest` is not an input: it changes with any recording, and would make every shard stale.
rule crop:
    input:
        crop_weights,
        completion_marker,
    output:
        "data/interim/{dataset}/{crop}/{shard}.arrow",
    log:
        "data/interim/{dataset}/{crop}/{shard}.log",
    threads: lambda wildcards: of_crops(wildcards).params.crop.threads
    resources:
        gpu=gpu_if_cuda(lambda wildcards: of_crops(wildcards).params.crop),
        mem_mb=4000,
        runtime="4h",
        attempt=attempt_number,
    params:
        crop_settings,
        limits=attempt_option,
    shell:
        "python -m clef --log {log:q} crop {wildcards.dataset:q} --crop {wildcards.crop:q}"
        " --raw data/raw/{wildcards.dataset:q}"
        " --shard {wildcards.shard:q} {params.limits:q} --out {output:q}"


rule manifest:
    input:
        lambda wildcards: of_crops(wildcards).shards,
        sequences="data/interim/{dataset}/sequences.parquet",
        labels="data/interim/{dataset}/labels.parquet",
        code=source_files("clef.manifest.table", within=("clef.manifest",)),
    output:
        "data/processed/{dataset}/{crop}/manifest.parquet",
    log:
        "data/processed/{dataset}/{crop}/manifest.log",
    retries: RETRIES
    resources:
        mem_mb=4000,
        runtime="1h",
    params:
        section(of_dataset, "ingest"),
    shell:
        "python -m clef --log {log:q} manifest {wildcards.dataset:q} --crop {wildcards.crop:q}"
        " --sequences {input.sequences:q} --labels {input.labels:q}"
        " --crops data/interim/{wildcards.dataset:q}/{wildcards.crop:q} --out {output:q}"
