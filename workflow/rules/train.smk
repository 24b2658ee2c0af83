from clef.params.schema import FINETUNE_SECTIONS, PRETRAIN_SECTIONS

# Neither rule lists code as an input: a comment must not cost forty GPU hours. The weights' JSON has the package's hash.


rule pretrain:
    input:
        lambda wildcards: shards_of(wildcards.run),
        joining_inputs,
        model_files,
        manifest=lambda wildcards: manifest_of(wildcards.run),
    output:
        weights="results/{run}/seed{seed}/fold{fold}/pretrain.safetensors",
        sidecar="results/{run}/seed{seed}/fold{fold}/pretrain.json",
    log:
        "results/{run}/seed{seed}/fold{fold}/pretrain.log",
    # Every other training waits for one of these.
    priority: 1
    threads: training_threads
    resources:
        gpu=training_gpus,
        mem_mb=training_memory,
        runtime="24h",
        attempt=attempt_number,
    params:
        **{name: section(of_run, name) for name in PRETRAIN_SECTIONS},
        activity_texts=activity_sentences,
        crops=lambda wildcards: crops_folder(wildcards.run),
        also=joining_options,
        limits=cluster_limits,
    shell:
        "python -m clef --log {log:q} pretrain {wildcards.run:q} --seed {wildcards.seed:q} --fold {wildcards.fold:q}"
        " --manifest {input.manifest:q} --crops {params.crops:q} {params.also:q} {params.limits:q} --out {output.weights:q}"


rule finetune:
    input:
        lambda wildcards: shards_of(wildcards.run),
        test_inputs,
        model_files,
        manifest=lambda wildcards: manifest_of(wildcards.run),
        stage1=stage1,
    output:
        weights="results/{run}/seed{seed}/fold{fold}/finetune.safetensors",
        sidecar="results/{run}/seed{seed}/fold{fold}/finetune.json",
        epochs="results/{run}/seed{seed}/fold{fold}/finetune.epochs.parquet",
    log:
        "results/{run}/seed{seed}/fold{fold}/finetune.log",
    threads: training_threads
    resources:
        gpu=training_gpus,
        mem_mb=training_memory,
        runtime="24h",
        attempt=attempt_number,
    params:
        **{name: section(of_run, name) for name in FINETUNE_SECTIONS},
        label_texts=label_sentences,
        templates=sentence_templates,
        crops=lambda wildcards: crops_folder(wildcards.run),
        stage1=lambda wildcards: (
            ["--stage1", stage1(wildcards)] if stage1(wildcards) else []
        ),
        inner=[],
        elsewhere=test_options,
        limits=cluster_limits,
    shell:
        "python -m clef --log {log:q} finetune {wildcards.run:q} --seed {wildcards.seed:q} --fold {wildcards.fold:q}"
        " --manifest {input.manifest:q} --crops {params.crops:q} {params.stage1:q} {params.inner:q}"
        " {params.elsewhere:q} {params.limits:q} --epochs {output.epochs:q} --out {output.weights:q}"


use rule finetune as finetune_inner with:
    output:
        weights="results/{run}/seed{seed}/fold{fold}/inner.safetensors",
        sidecar="results/{run}/seed{seed}/fold{fold}/inner.json",
        epochs="results/{run}/seed{seed}/fold{fold}/inner.epochs.parquet",
    log:
        "results/{run}/seed{seed}/fold{fold}/inner.log",
    params:
        inner="--inner",
        tune=section(of_run, "tune"),
