from snakemake.utils import min_version

min_version("9.20")


include: "workflow/rules/runs.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/raw.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/messages.smk"


rule all:
    default_target: True
    input:
        "results/demo/summary.csv",
    localrule: True
