# Cheap rules run again when their own code changes.
SUMMARY_CODE = sorted(
    map(
        str,
        [
            *Path("clef/evaluation/run").glob("*.*"),
            *Path("clef/plots").glob("*.py"),
        ],
    )
)
EVALUATION_CODE = sorted(
    map(
        str,
        [
            *Path("clef/evaluation/fold").glob("*.py"),
            *Path("clef/manifest").glob("*.py"),
            *Path("clef/model").glob("*.*"),
            *Path("clef/batches").glob("*.py"),
            Path("clef/faces/shard.py"),
            Path("clef/datasets/votes.py"),
            Path("clef/training/inputs.py"),
        ],
    )
)


rule evaluate:
    input:
        lambda wildcards: shards_of(wildcards.run),
        test_inputs,
        manifest=lambda wildcards: manifest_of(wildcards.run),
        weights="results/{run}/seed{seed}/fold{fold}/finetune.safetensors",
        sidecar="results/{run}/seed{seed}/fold{fold}/finetune.json",
        epochs="results/{run}/seed{seed}/fold{fold}/finetune.epochs.parquet",
        inner=inner_predictions,
        code=EVALUATION_CODE,
    output:
        metrics="results/{run}/seed{seed}/fold{fold}/metrics.json",
        predictions="results/{run}/seed{seed}/fold{fold}/predictions.parquet",
    log:
        "results/{run}/seed{seed}/fold{fold}/evaluate.log",
    retries: FEW
    threads: lambda wildcards: of_run(wildcards).threads
    resources:
        gpu=gpus(of_run),
        mem_mb=8000,
        runtime="2h",
    params:
        threshold=lambda wildcards: of_run(wildcards).evaluate.threshold,
        stride=lambda wildcards: of_run(wildcards).evaluate.stride,
        crops=lambda wildcards: crops_folder(wildcards.run),
        tune=section(of_run, "tune"),
        inner=lambda wildcards: (
            ["--inner", inner_predictions(wildcards)] if of_run(wildcards).tune else []
        ),
        elsewhere=test_options,
        test_labels=test_labels,
    shell:
        "python -m clef --log {log:q} evaluate {wildcards.run:q} --seed {wildcards.seed:q} --fold {wildcards.fold:q}"
        " --manifest {input.manifest:q} --crops {params.crops:q} --weights {input.weights:q}"
        " --epochs {input.epochs:q} {params.inner:q} {params.elsewhere:q}"
        " --predictions {output.predictions:q} --out {output.metrics:q}"


rule summarize:
    input:
        metrics=all_metrics,
        # Fetched before anything long. Not an input of the trainings, which a note that was lost would make stale.
        model=model_weights,
        code=SUMMARY_CODE,
    output:
        table="results/{run}/summary.csv",
        details="results/{run}/summary.json",
        # Beside these: training.svg, which holds no result, and confusion.svg for expressions.
        plots=multiext("results/{run}/plots/f1", ".csv", ".svg", ".png"),
    log:
        "results/{run}/summarize.log",
    localrule: True
    params:
        bootstrap=lambda wildcards: of_run(wildcards).evaluate.bootstrap,
    shell:
        "python -m clef --log {log:q} summarize {wildcards.run:q} {input.metrics:q} --out {output.table:q}"


rule unknown_run:
    """Asked for by nobody but who has mistyped the name of a run."""
    input:
        lambda wildcards: checked(refuse_run, RUNS, Path("results", wildcards.name)),
    output:
        "results/{name}/{file}",
    wildcard_constraints:
        name=f"(?!(?:{'|'.join(map(re.escape, RUNS))})/)[^/]+",
