# Cheap rules run again when their own code changes.
SUMMARY_CODE = [
    f"clef/evaluation/{name}"
    for name in (
        "summary.py",
        "crossvalidation.py",
        "intervals.py",
        "terminal.py",
        "published.py",
        "published.csv",
    )
]
SCORING_CODE = sorted(
    {*map(str, Path("clef/evaluation").glob("*.py"))} - {*SUMMARY_CODE}
)
EVALUATION_CODE = [*SCORING_CODE, "clef/prediction.py", "clef/selection.py"]


rule evaluate:
    input:
        lambda wildcards: shards_of(wildcards.run),
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
            f"--inner {inner_predictions(wildcards)}" if of_run(wildcards).tune else ""
        ),
    shell:
        "python -m clef evaluate {wildcards.run} --seed {wildcards.seed} --fold {wildcards.fold}"
        " --manifest {input.manifest} --crops {params.crops} --weights {input.weights}"
        " --epochs {input.epochs} {params.inner} --predictions {output.predictions} --out {output.metrics} 2> {log}"


rule summarize:
    input:
        metrics=all_metrics,
        code=SUMMARY_CODE,
    output:
        table="results/{run}/summary.csv",
        details="results/{run}/summary.json",
    log:
        "results/{run}/summarize.log",
    localrule: True
    params:
        bootstrap=lambda wildcards: of_run(wildcards).evaluate.bootstrap,
    shell:
        "python -m clef summarize {wildcards.run} {input.metrics} --out {output.table} 2> {log}"
