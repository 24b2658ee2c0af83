"""Subcommands that probe what a linear classifier reads from the frozen image features of a run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clef.cli.app import RESULTS_PANEL, JobCommand, app, step
from clef.cli.find_run import other_test_data, settings, training
from clef.cli.options import Crops, FoldNumber, Manifest, Out, Run, Seed, TestCrops, TestManifest
from clef.runtime.gpus import claim_gpus
from clef.runtime.lease import leased
from clef.runtime.paths import crops_folder, fold_folder, manifest_file, results_folder

if TYPE_CHECKING:
    from clef.params.schema import Params


@step(
    "clef probe-fold demo --seed 0 --fold 0 --manifest data/processed/demo/{crop}/manifest.parquet "
    "--crops data/interim/demo/{crop} --stage1 results/demo/seed0/fold0/pretrain.safetensors "
    "--weights results/demo/seed0/fold0/finetune.safetensors --out results/demo/seed0/fold0/probe.json"
)
def probe_fold(
    run: Run,
    seed: Seed,
    fold: FoldNumber,
    manifest: Manifest,
    crops: Crops,
    weights: Annotated[Path, typer.Option(help="Weights of stage 2, from `clef finetune`.")],
    out: Out,
    stage1: Annotated[Path | None, typer.Option(help="Weights of stage 1 that stage 2 started from.")] = None,
    test_manifest: TestManifest = None,
    test_crops: TestCrops = None,
) -> None:
    """Probe the weights of one seed and fold, for `clef probe`; optional."""
    from clef.evaluation.probe.probe_fold import probe_fold as probe_weights

    params, split, inputs = training(run, fold, manifest, crops)
    if params.device == "cuda":
        claim_gpus(1)
    other = other_test_data(params, test_manifest, test_crops)
    with leased(out):
        probe_weights(params, seed, split, inputs, stage1, weights, out, other)


@app.command(cls=JobCommand, rich_help_panel=RESULTS_PANEL, epilog="Example: clef probe demo")
def probe(
    run: Run,
    probes: Annotated[
        list[Path] | None,
        typer.Argument(help="The probe.json of every seed and fold; without them, they are made first."),
    ] = None,
) -> None:
    """Show what a linear classifier reads from the image features of a finished run: identity, activity and labels."""
    from rich.console import Console

    from clef.evaluation.probe.table import format_table, probe_table, write_table

    probes = probes or _probe_folds(run)
    table = probe_table([json.loads(path.read_text(encoding="utf-8")) for path in probes])
    target = results_folder(run) / "probe.csv"
    with leased(target):
        write_table(target, table)
    Console().print(format_table(run, table, len(probes)))


def _probe_folds(run: str) -> list[Path]:
    """Probe every seed and fold of a finished run, and return the files."""
    from clef.datasets import open_dataset
    from clef.manifest.folds import make_folds
    from clef.runs.related_runs import load_run, stage1_source

    runs = load_run(run, settings.params_folder)
    params = runs[run]
    tested = None if params.test is None else _data(runs[params.test.run])
    probes = []
    for seed in params.seeds:
        for fold in make_folds(open_dataset(params)):
            folder, source = fold_folder(run, seed, fold.number), stage1_source(runs, run, fold.number)
            stage1 = None if source is None else fold_folder(source[0], seed, source[1]) / "pretrain.safetensors"
            probes.append(folder / "probe.json")
            probe_fold(
                run,
                seed,
                str(fold.number),
                *_data(params),
                folder / "finetune.safetensors",
                probes[-1],
                stage1 if stage1 is not None and stage1.exists() else None,
                *(tested or ()),
            )
    return probes


def _data(params: "Params") -> tuple[Path, Path]:
    """Manifest and crops of a run."""
    name, crop = params.dataset.name, params.crop_digest
    return manifest_file(name, crop), crops_folder(name, crop)
