# What a linear classifier reads from the frozen image features of a run. No other rule needs it: ask for
# results/{run}/probe.csv.
PROBE_CODE = source_files("clef.evaluation.probe.probe_fold")
PROBE_TABLE_CODE = source_files("clef.evaluation.probe.table")


rule probe_fold:
    input:
        lambda wildcards: of_run(wildcards).shards,
        data_of(test_runs),
        model_files,
        manifest=lambda wildcards: of_run(wildcards).manifest,
        stage1=probed_stage1,
        weights=f"{FOLD}/finetune.safetensors",
        sidecar=f"{FOLD}/finetune.json",
        code=PROBE_CODE,
    output:
        f"{FOLD}/probe.json",
    log:
        f"{FOLD}/probe.log",
    retries: RETRIES
    threads: lambda wildcards: of_run(wildcards).params.threads
    resources:
        gpu=gpu_if_cuda(lambda wildcards: of_run(wildcards).params),
        mem_mb=8000,
        runtime="2h",
    params:
        section(of_run, "probe"),
        crops=lambda wildcards: str(of_run(wildcards).crops),
        stage1=lambda wildcards: (
            ["--stage1", probed_stage1(wildcards)] if probed_stage1(wildcards) else []
        ),
        elsewhere=data_options("test", test_runs),
    shell:
        "python -m clef --log {log:q} probe-fold {wildcards.run:q} --seed {wildcards.seed:q} --fold {wildcards.fold:q}"
        " --manifest {input.manifest:q} --crops {params.crops:q} {params.stage1:q} --weights {input.weights:q}"
        " {params.elsewhere:q} --out {output:q}"


rule probe:
    input:
        probes=of_every_fold("probe.json"),
        code=PROBE_TABLE_CODE,
    output:
        "results/{run}/probe.csv",
    log:
        "results/{run}/probe.log",
    localrule: True
    shell:
        "python -m clef --log {log:q} probe {wildcards.run:q} {input.probes:q}"
