from clef.runs.load import params_file
from clef.runs.source_files import package_files
from clef.runtime.paths import check_file

# These rules take seconds where a training takes hours, so they run again when code that they import changes. Predictions
# are part of stage 2: like its weights, they stay as they are when code changes.
EVALUATION_CODE = source_files("clef.evaluation.fold.evaluate_fold")
SUMMARY_CODE = sorted(
    {
        *source_files("clef.evaluation.run.summary"),
        *source_files("clef.plots.all_plots"),
        *source_files("clef.reports.run_report"),
        *package_files("clef/reports/templates/*"),
        *package_files("clef/evaluation/run/published.csv"),
    }
)


rule evaluate:
    input:
        lambda wildcards: [run.manifest for run in test_runs(wildcards)],
        manifest=lambda wildcards: of_run(wildcards).manifest,
        weights=f"{FOLD}/finetune.safetensors",
        sidecar=f"{FOLD}/finetune.json",
        epochs=f"{FOLD}/finetune.epochs.parquet",
        inner=inner_predictions,
        code=EVALUATION_CODE,
    output:
        metrics=f"{FOLD}/metrics.json",
        predictions=f"{FOLD}/predictions.parquet",
    log:
        f"{FOLD}/evaluate.log",
    retries: RETRIES
    resources:
        mem_mb=8000,
        runtime="1h",
    params:
        threshold=lambda wildcards: of_run(wildcards).params.evaluate.threshold,
        stride=lambda wildcards: of_run(wildcards).params.evaluate.stride,
        tune=section(of_run, "tune"),
        inner=lambda wildcards: (
            ["--inner", inner_predictions(wildcards)]
            if inner_predictions(wildcards)
            else []
        ),
        elsewhere=lambda wildcards: [
            word
            for run in test_runs(wildcards)
            for word in ("--test-manifest", str(run.manifest))
        ],
        # How the other run reads its labels; empty without one.
        test_labels=lambda wildcards: next(
            (run.params.tracked("labels") for run in test_runs(wildcards)), []
        ),
    shell:
        "python -m clef --log {log:q} evaluate {wildcards.run:q} --seed {wildcards.seed:q} --fold {wildcards.fold:q}"
        " --manifest {input.manifest:q} --weights {input.weights:q}"
        " --epochs {input.epochs:q} {params.inner:q} {params.elsewhere:q}"
        " --predictions {output.predictions:q} --out {output.metrics:q}"


rule summarize:
    input:
        metrics=of_every_fold("metrics.json"),
        # An input here, so that weights are fetched first. As an input of a training, a deleted note would make it stale.
        model=model_weights,
        checks=lambda wildcards: [
            check_file(run.dataset.name)
            for run in (of_run(wildcards), *test_runs(wildcards))
        ],
        code=SUMMARY_CODE,
    output:
        table="results/{run}/summary.csv",
        details="results/{run}/summary.json",
        # The job also writes training.svg, which holds no result, and confusion.svg for expressions; and in tables/,
        # published, subjects.csv and activities.csv, for data sets that have these.
        plots=multiext("results/{run}/plots/f1", ".csv", ".svg", ".png"),
        # The page also names device, time and commit of the trainings, so it can differ where the table is the same.
        report="results/{run}/report.html",
        tables=multiext("results/{run}/tables/summary", ".tex", ".md"),
    log:
        "results/{run}/summarize.log",
    localrule: True
    params:
        bootstrap=lambda wildcards: of_run(wildcards).params.evaluate.bootstrap,
        shown=shown_tables,
    shell:
        "python -m clef --log {log:q} summarize {wildcards.run:q} {input.metrics:q} --out {output.table:q}"


rule unknown_run:
    """Suggest the nearest name for a mistyped run."""
    input:
        lambda wildcards: checked(params_file, wildcards.name, Path("params")),
    output:
        "results/{name}/{file}",
    wildcard_constraints:
        name=rf"(?!(?:{NAMES})/)[^/]+",
