# What all rules share: the runs and their data, and what a job may use.
import os
import re
import shlex
import sys
from pathlib import Path

from clef.errors import ClefError
from clef.params.schema import ParamsError
from clef.runs.load import REQUESTED
from clef.runs.requested import RequestedRuns
from clef.runs.variant_tables import require_full_method
from clef.runs.variants import name_pattern, tables
from clef.runtime.encoding import require_utf8
from clef.runtime.files import file_hash
from clef.runtime.gpus import visible_gpus
from clef.runtime.paths import fold_folder, results_folder

# Jobs use the Python that runs Snakemake, even if its environment is not activated.
shell.prefix(f"export PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH; ")


def checked(function, *arguments):
    """Call a function; a ClefError ends Snakemake with one line."""
    try:
        return function(*arguments)
    except ClefError as error:
        print(f"CLEF: error: {error}", file=sys.stderr)
        sys.exit(1)


checked(require_utf8)

# RUNS reads a params file when a rule first needs it, so that a mistake in another file
# stops nothing. Jobs inherit the names of the runs through REQUESTED.
if workflow.is_main_process:
    os.environ.pop(REQUESTED, None)
RUNS = checked(RequestedRuns, Path("params"))
NAMES = name_pattern(RUNS.names)
FOLD = fold_folder("{run}", "{seed}", "{fold}")

# Report a mistake in a requested run before Snakemake builds the graph.
for argument in sys.argv[1:]:
    if found := re.match(rf"results/({NAMES})/", argument):
        checked(RUNS.__getitem__, found[1])


wildcard_constraints:
    run=NAMES,
    dataset=r"\w[\w.+-]*",
    crop="[0-9a-f]{8}",
    seed=r"\d+",
    fold=r"\d+|all",


def of_run(wildcards):
    return checked(RUNS.__getitem__, wildcards.run)


def of_dataset(wildcards):
    return checked(RUNS.over, wildcards.dataset)


def of_crops(wildcards):
    return checked(RUNS.over, wildcards.dataset, wildcards.crop)


def section(of, name):
    """Settings of one stage; as `params:` of a rule they make only that stage stale."""
    return lambda wildcards: of(wildcards).params.tracked(name)


def also_runs(wildcards):
    """Runs over other data sets that take part in stage 1."""
    return [RUNS[name] for name in of_run(wildcards).params.pretrain.also]


def replaced_stage1(wildcards):
    """Settings of the stage 1 that a longer stage 2 makes up for, if any."""
    name = of_run(wildcards).params.finetune.replaces_stage1_of
    return [] if name is None else RUNS[name].params.tracked("pretrain")


def test_runs(wildcards):
    """The run over another data set that a run is tested on, if any."""
    test = of_run(wildcards).params.test
    return [] if test is None else [RUNS[test.run]]


def shown_tables(wildcards):
    """Digests of the ablation and the probes that a report shows. They are no inputs, so no summary makes them."""
    files = [results_folder(wildcards.run) / "ablation.csv"]
    files += map(Path, of_every_fold("probe.json")(wildcards))
    return [f"{file} {file_hash(file)}" for file in files if file.exists()]


def data_of(runs):
    """The manifest and crops of each run that the function `runs` returns."""
    return lambda wildcards: [
        path for run in runs(wildcards) for path in (run.manifest, *run.shards)
    ]


def data_options(name, runs):
    """The same data as command options, `--NAME-manifest` and `--NAME-crops`."""
    manifest, crops = f"--{name}-manifest", f"--{name}-crops"
    return lambda wildcards: [
        word
        for run in runs(wildcards)
        for word in (manifest, str(run.manifest), crops, str(run.crops))
    ]


def stage1(wildcards):
    """Weights that stage 2 starts from: of this run, of another, or none."""
    of_run(wildcards)
    if (source := RUNS.stage1(wildcards.run, wildcards.fold)) is None:
        return []
    folder = fold_folder(source[0], wildcards.seed, source[1])
    return str(folder / "pretrain.safetensors")


def probed_stage1(wildcards):
    """Stage 1 that a fold starts from. A probe goes without it, and does not train it again, if it was removed."""
    weights = stage1(wildcards)
    stage2 = fold_folder(wildcards.run, wildcards.seed, wildcards.fold)
    finished = (stage2 / "finetune.safetensors").exists()
    return weights if not finished or (weights and Path(weights).exists()) else []


def inner_predictions(wildcards):
    """Predictions for the training subjects that `tune` holds out, if the run tunes."""
    folder = fold_folder(wildcards.run, wildcards.seed, wildcards.fold)
    return str(folder / "inner.epochs.parquet") if of_run(wildcards).params.tune else []


def of_folds(run, file):
    """A file of every seed and fold of a run."""
    return [
        fold_folder(run.name, seed, fold.number) / file
        for seed in run.params.seeds
        for fold in run.folds
    ]


def of_every_fold(file):
    return lambda wildcards: of_folds(of_run(wildcards), file)


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


# True if jobs run on other machines, and within such a job.
REMOTE = workflow.remote_exec or workflow.resource_settings.nodes is not None

# Train once at a time on each GPU of this machine. `--resources gpu=N` overrides the limit.
if workflow.is_main_process and not REMOTE:
    workflow.global_resources.setdefault("gpu", max(len(visible_gpus()), 1))

# Retry on a cluster, where a node may be at fault. Within a job, retries would multiply.
RETRIES = 2 if REMOTE and not workflow.remote_exec else None

# Snakemake caps this at the cores it has, so the job runs alone.
ALL_CORES = 1 if REMOTE else 10000


def gpu_if_cuda(settings):
    """One GPU if the function `settings` returns settings for cuda."""
    return lambda wildcards: int(settings(wildcards).device == "cuda")


def attempt_number(wildcards, attempt):
    return attempt


def attempt_option(wildcards, resources):
    """Pass the attempt number to jobs with a time limit. Params of `resources` make nothing stale."""
    return ["--attempt", resources.attempt] if workflow.remote_exec else []


def limit_options(wildcards, resources):
    """Pass its time limit to a training on a cluster, which saves and stops in time. No signal reaches it."""
    options = attempt_option(wildcards, resources)
    return ["--time-budget", resources.runtime, *options] if options else []
