rule render_demo:
    output:
        "data/raw/{dataset}/render.json",
    log:
        "data/interim/{dataset}/render.log",
    threads: 8
    resources:
        mem_mb=4000,
        runtime="30m",
    params:
        section(of_dataset, "render"),
    shell:
        "python -m clef render-demo {wildcards.dataset} --out data/raw/{wildcards.dataset}"
        " --workers {threads} 2> {log}"


rule ingest:
    input:
        raw_marker,
        code=lambda wildcards: ["clef/ingest.py", *adapter_code(wildcards)],
    output:
        "data/interim/{dataset}/sequences.parquet",
    log:
        "data/interim/{dataset}/ingest.log",
    resources:
        mem_mb=2000,
        runtime="2h",
    params:
        section(of_dataset, "ingest"),
    shell:
        "python -m clef ingest {wildcards.dataset} --raw data/raw/{wildcards.dataset}"
        " --out {output} 2> {log}"


rule crop:
    input:
        crop_weights,
        sequences="data/interim/{dataset}/sequences.parquet",
    output:
        "data/interim/{dataset}/{crop}/{shard}.arrow",
    log:
        "data/interim/{dataset}/{crop}/{shard}.log",
    threads: lambda wildcards: of_crops(wildcards).crop.threads
    resources:
        gpu=gpus(of_crops, "crop"),
        mem_mb=4000,
        runtime="4h",
    params:
        section(of_crops, "crop"),
    shell:
        "python -m clef crop {wildcards.dataset} --crop {wildcards.crop}"
        " --raw data/raw/{wildcards.dataset} --sequences {input.sequences}"
        " --shard {wildcards.shard} --out {output} 2> {log}"


rule manifest:
    input:
        lambda wildcards: shards_of(RUN_OF_CROPS[wildcards.dataset, wildcards.crop]),
        sequences="data/interim/{dataset}/sequences.parquet",
        code=lambda wildcards: ["clef/manifest.py", *adapter_code(wildcards)],
    output:
        "data/processed/{dataset}/{crop}/manifest.parquet",
    log:
        "data/processed/{dataset}/{crop}/manifest.log",
    resources:
        mem_mb=4000,
        runtime="1h",
    shell:
        "python -m clef manifest {wildcards.dataset} --crop {wildcards.crop}"
        " --raw data/raw/{wildcards.dataset} --sequences {input.sequences}"
        " --crops data/interim/{wildcards.dataset}/{wildcards.crop} --out {output} 2> {log}"
