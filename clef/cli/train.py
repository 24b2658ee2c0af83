"""Subcommands that train."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import step
from clef.cli.find_run import joining, run_params, tested, training
from clef.cli.options import (
    AlsoCrops,
    AlsoManifests,
    Attempt,
    Crops,
    FoldNumber,
    Manifest,
    Out,
    Run,
    Seed,
    TestCrops,
    TestManifest,
    TimeBudget,
)
from clef.cli.processes import attempted, training_job
from clef.errors import ClefError


@step(
    "clef pretrain demo --seed 0 --fold 0 --manifest data/processed/demo/{crop}/manifest.parquet "
    "--crops data/interim/demo/{crop} --out results/demo/seed0/fold0/pretrain.safetensors"
)
def pretrain(
    run: Run,
    seed: Seed,
    fold: FoldNumber,
    manifest: Manifest,
    crops: Crops,
    out: Out,
    also_manifest: AlsoManifests = None,
    also_crops: AlsoCrops = None,
    time_budget: TimeBudget = None,
    attempt: Attempt = None,
) -> None:
    """Stage 1: contrast with the activity as the weak label."""
    with attempted(partial(run_params, run), out, attempt):
        params, split, shards = training(run, fold, crops)
        with training_job(params, time_budget) as job:
            from clef.training.inputs import Inputs
            from clef.training.pretrain import pretrain as train

            also = joining(params, also_manifest or [], also_crops or [])
            train(params, seed, split, Inputs(manifest, shards), out, job, also)


@step(
    "clef finetune demo --seed 0 --fold 0 --manifest data/processed/demo/{crop}/manifest.parquet "
    "--crops data/interim/demo/{crop} --stage1 results/demo/seed0/fold0/pretrain.safetensors "
    "--epochs results/demo/seed0/fold0/finetune.epochs.parquet --out results/demo/seed0/fold0/finetune.safetensors"
)
def finetune(
    run: Run,
    seed: Seed,
    fold: FoldNumber,
    manifest: Manifest,
    crops: Crops,
    out: Out,
    epochs: Annotated[Path, typer.Option(help="Test predictions after each epoch, to write.")],
    stage1: Annotated[Path | None, typer.Option(help="Encoders to start from.")] = None,
    inner: Annotated[
        bool, typer.Option("--inner", help="Hold out the training subjects of `tune`, and predict them.")
    ] = False,
    test_manifest: TestManifest = None,
    test_crops: TestCrops = None,
    time_budget: TimeBudget = None,
    attempt: Attempt = None,
) -> None:
    """Stage 2: match images with the texts of the labels."""
    from clef.manifest.folds import inner_split

    with attempted(partial(run_params, run), out, attempt):
        params, split, shards = training(run, fold, crops)
        if inner:
            if params.tune is None:
                raise ClefError(
                    f"--inner: {run} has no `tune` section; expected one to say how many subjects to hold out"
                )
            split = inner_split(split, params.tune.held_out, params.folds.seed)
        with training_job(params, time_budget) as job:
            from clef.training.finetune import finetune as train
            from clef.training.inputs import Inputs

            elsewhere = tested(params, test_manifest, test_crops)
            train(params, seed, split, Inputs(manifest, shards), stage1, out, epochs, elsewhere, job)
