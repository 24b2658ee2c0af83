# The variants of a run, such as `demo@linear`: its ablation, results/{run}/ablation.csv, and tables of controls.
from clef.params.schema import ParamsError
from clef.runs.variant_tables import refuse_table, require_full_method
from clef.runs.variants import tables

VARIANTS_CODE = sorted(
    {
        *source_files("clef.comparison.variant_results"),
        *source_files("clef.plots.variants"),
        *package_files("clef/runs/variants.yaml"),
    }
)


def variant_scores(wildcards):
    """Scores and probes of every variant that can be trained; the table says why the others cannot."""
    of_run(wildcards)
    checked(require_full_method, wildcards.run, Path("params"))
    table, paths = tables()[wildcards.table], []
    for setting in (None, *table.settings):
        for row in table.rows:
            try:
                run = RUNS[table.variant(wildcards.run, row, setting)]
            except ParamsError:
                continue
            paths += of_folds(run, "metrics.json")
            if table.probe and setting is None:
                paths += of_folds(run, "probe.json")
    return paths


rule variants:
    input:
        variant_scores,
        code=VARIANTS_CODE,
    output:
        table="results/{run}/{table}.csv",
        plots=multiext("results/{run}/plots/{table}", ".svg", ".png"),
    log:
        "results/{run}/{table}.log",
    wildcard_constraints:
        run="[^@/]+",
        table="|".join(tables()),
    localrule: True
    shell:
        "python -m clef --log {log:q} variants {wildcards.table:q} {wildcards.run:q} --out {output.table:q}"


rule unknown_table:
    """Suggest the nearest name for a mistyped table, and refuse tables of variants of a variant."""
    input:
        lambda wildcards: checked(refuse_table, *wildcards.path.split("/")),
    output:
        "results/{path}.csv",
    wildcard_constraints:
        path=rf"(?!(?:[^@/]+/(?:{'|'.join(tables())})|[^/]+/(?:summary|probe))\.csv$)(?:{NAMES})/[^/]+",
