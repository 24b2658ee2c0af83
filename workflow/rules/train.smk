from clef.params.schema import FINETUNE_SECTIONS, PRETRAIN_SECTIONS

# No training rule lists code as an input: a changed comment must not cost forty GPU hours. The JSON beside the weights
# records a hash of the package.


rule pretrain:
    input:
        lambda wildcards: of_run(wildcards).shards,
        data_of(also_runs),
        model_files,
        manifest=lambda wildcards: of_run(wildcards).manifest,
    output:
        weights=f"{FOLD}/pretrain.safetensors",
        sidecar=f"{FOLD}/pretrain.json",
    log:
        f"{FOLD}/pretrain.log",
    # Other trainings wait for these.
    priority: 2
    threads: lambda wildcards: of_run(wildcards).training_threads
    resources:
        gpu=lambda wildcards: of_run(wildcards).training_gpus,
        # Enough for a large model and the batches that are decoded ahead.
        mem_mb=lambda wildcards: 16000 * of_run(wildcards).params.gpus,
        runtime="24h",
        attempt=attempt_number,
    params:
        **{name: section(of_run, name) for name in PRETRAIN_SECTIONS},
        # The texts themselves, so that editing a text makes stale what used it.
        activity_texts=lambda wildcards: [
            run.activity_texts for run in (of_run(wildcards), *also_runs(wildcards))
        ],
        crops=lambda wildcards: str(of_run(wildcards).crops),
        also=data_options("also", also_runs),
        limits=limit_options,
    shell:
        "python -m clef --log {log:q} pretrain {wildcards.run:q} --seed {wildcards.seed:q} --fold {wildcards.fold:q}"
        " --manifest {input.manifest:q} --crops {params.crops:q} {params.also:q} {params.limits:q} --out {output.weights:q}"


rule finetune:
    input:
        lambda wildcards: of_run(wildcards).shards,
        data_of(test_runs),
        model_files,
        manifest=lambda wildcards: of_run(wildcards).manifest,
        stage1=stage1,
    output:
        weights=f"{FOLD}/finetune.safetensors",
        sidecar=f"{FOLD}/finetune.json",
        epochs=f"{FOLD}/finetune.epochs.parquet",
    log:
        f"{FOLD}/finetune.log",
    # Start the longest jobs first; a short one fits in while the last of them runs.
    priority: 1
    threads: lambda wildcards: of_run(wildcards).training_threads
    resources:
        gpu=lambda wildcards: of_run(wildcards).training_gpus,
        mem_mb=lambda wildcards: 16000 * of_run(wildcards).params.gpus,
        runtime="24h",
        attempt=attempt_number,
    params:
        **{name: section(of_run, name) for name in FINETUNE_SECTIONS},
        label_texts=lambda wildcards: of_run(wildcards).label_texts,
        templates=lambda wildcards: of_run(wildcards).templates,
        crops=lambda wildcards: str(of_run(wildcards).crops),
        stage1=lambda wildcards: (
            ["--stage1", stage1(wildcards)] if stage1(wildcards) else []
        ),
        inner=[],
        # The stage 1 whose images pass through stage 2 as well; empty for most runs.
        replaced=replaced_stage1,
        elsewhere=data_options("test", test_runs),
        limits=limit_options,
    shell:
        "python -m clef --log {log:q} finetune {wildcards.run:q} --seed {wildcards.seed:q} --fold {wildcards.fold:q}"
        " --manifest {input.manifest:q} --crops {params.crops:q} {params.stage1:q} {params.inner:q}"
        " {params.elsewhere:q} {params.limits:q} --epochs {output.epochs:q} --out {output.weights:q}"


use rule finetune as finetune_inner with:
    output:
        weights=f"{FOLD}/inner.safetensors",
        sidecar=f"{FOLD}/inner.json",
        epochs=f"{FOLD}/inner.epochs.parquet",
    log:
        f"{FOLD}/inner.log",
    params:
        inner="--inner",
        tune=section(of_run, "tune"),
