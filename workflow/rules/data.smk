from clef.demo import behaviour


# Needs a network. Runs first and alone, so that missing weights are reported before anything long starts.
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
    priority: 4
    localrule: True
    threads: ALL_CORES
    params:
        weights=published_name,
    shell:
        "python -m clef --log {log:q} fetch-weights {params.weights:q} --to {output:q}"


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
        version=behaviour.VERSION,
    shell:
        "python -m clef --log {log:q} render-demo {wildcards.dataset:q} --out data/raw/{wildcards.dataset:q}"
        " --workers {threads:q}"


# Runs alone and before any cropping, and fails if the copy is not usable, so nothing long starts on a broken copy. On a
# cluster, and with `--keep-going`, the Snakefile runs a quick check before the first job instead.
rule ingest:
    input:
        completion_marker,
        code=ingest_code,
    output:
        sequences="data/interim/{dataset}/sequences.parquet",
        labels="data/interim/{dataset}/labels.parquet",
        report="data/interim/{dataset}/check.txt",
    log:
        "data/interim/{dataset}/ingest.log",
    priority: 3
    retries: RETRIES
    threads: ALL_CORES
    resources:
        mem_mb=4000,
        runtime="2h",
    params:
        ingest_settings,
    shell:
        "python -m clef --log {log:q} ingest {wildcards.dataset:q} --raw data/raw/{wildcards.dataset:q}"
        " --out {output.sequences:q}"


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
        mem_mb=lambda wildcards: 3000 + 1000 * of_crops(wildcards).params.crop.threads,
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
