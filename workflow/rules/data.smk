# Where there is a network. The first of all, and since it takes all cores for its minute, alone: what is missing is said
# before anything long.
rule fetch_weights:
    output:
        "weights/{file}",
    log:
        "weights/{file}.log",
    wildcard_constraints:
        file="|".join(map(re.escape, PUBLISHED)),
    priority: 3
    localrule: True
    threads: CORES or 1
    params:
        whose=lambda wildcards: PUBLISHED[wildcards.file],
    shell:
        "python -m clef --log {log:q} fetch-weights {params.whose:q} --to {output:q}"


rule render_demo:
    output:
        "data/raw/{dataset}/render.json",
    log:
        "data/interim/{dataset}/render.log",
    retries: FEW
    threads: 8
    resources:
        mem_mb=4000,
        runtime="30m",
    params:
        section(of_dataset, "render"),
    shell:
        "python -m clef --log {log:q} render-demo {wildcards.dataset:q} --out data/raw/{wildcards.dataset:q}"
        " --workers {threads:q}"


# Nothing long starts on a broken copy: it comes first and, since it takes all cores for its seconds, alone. Cropping does
# not wait for its file: a second check would make every shard stale, or, by way of `ancient`, hide those that are. Where
# cores do not order jobs, Snakemake checks before it submits the first: messages.smk.
rule check:
    input:
        all_raw,
        code=adapter_code,
    output:
        "data/interim/{dataset}/check.txt",
    log:
        "data/interim/{dataset}/check.log",
    priority: 2
    retries: FEW
    threads: CORES or 1
    resources:
        mem_mb=2000,
        runtime="30m",
    params:
        ingest_settings,
    shell:
        "python -m clef --log {log:q} check {wildcards.dataset:q} --raw data/raw/{wildcards.dataset:q} --out {output:q}"


rule ingest:
    input:
        all_raw,
        "data/interim/{dataset}/check.txt",
        code=lambda wildcards: ["clef/ingest/sequences.py", *adapter_code(wildcards)],
    output:
        "data/interim/{dataset}/sequences.parquet",
    log:
        "data/interim/{dataset}/ingest.log",
    # It finds an incomplete copy within minutes, so it starts before the cropping.
    priority: 1
    retries: FEW
    resources:
        mem_mb=2000,
        runtime="2h",
    params:
        ingest_settings,
    shell:
        "python -m clef --log {log:q} ingest {wildcards.dataset:q} --raw data/raw/{wildcards.dataset:q}"
        " --out {output:q}"


# Not from the table of `ingest`: that is new whenever one recording is, and so would every shard be stale.
rule crop:
    input:
        crop_weights,
        shard_raw,
    output:
        "data/interim/{dataset}/{crop}/{shard}.arrow",
    log:
        "data/interim/{dataset}/{crop}/{shard}.log",
    threads: lambda wildcards: of_crops(wildcards).crop.threads
    resources:
        gpu=gpus(of_crops, "crop"),
        mem_mb=4000,
        runtime="4h",
        attempt=attempt_number,
    params:
        crop_settings,
        limits=cluster_try,
    shell:
        "python -m clef --log {log:q} crop {wildcards.dataset:q} --crop {wildcards.crop:q}"
        " --raw data/raw/{wildcards.dataset:q}"
        " --shard {wildcards.shard:q} {params.limits:q} --out {output:q}"


rule manifest:
    input:
        lambda wildcards: shards_of(RUN_OF_CROPS[wildcards.dataset, wildcards.crop]),
        labels_raw,
        sequences="data/interim/{dataset}/sequences.parquet",
        code=lambda wildcards: ["clef/manifest/table.py", *adapter_code(wildcards)],
    output:
        "data/processed/{dataset}/{crop}/manifest.parquet",
    log:
        "data/processed/{dataset}/{crop}/manifest.log",
    retries: FEW
    resources:
        mem_mb=4000,
        runtime="1h",
    params:
        manifest_settings,
    shell:
        "python -m clef --log {log:q} manifest {wildcards.dataset:q} --crop {wildcards.crop:q}"
        " --raw data/raw/{wildcards.dataset:q} --sequences {input.sequences:q}"
        " --crops data/interim/{wildcards.dataset:q}/{wildcards.crop:q} --out {output:q}"
