# The variants of a run, such as `demo@linear`: its ablation, results/{run}/ablation.csv, and tables of controls.
from clef.runs.variant_tables import refuse_table
from clef.runs.variants import tables

VARIANTS_CODE = sorted(
    {
        *source_files("clef.comparison.variant_results"),
        *source_files("clef.plots.variants"),
        *package_files("clef/runs/variants.yaml"),
    }
)


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
