"""Subcommands that train."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from clef.cli import options
from clef.cli.app import step
from clef.cli.find_run import also_sources, other_test_data, run_params, training
from clef.cli.processes import attempted, run_training
from clef.errors import ClefError


@step(
    "clef pretrain demo --seed 0 --fold 0 --manifest data/processed/demo/{crop}/manifest.parquet "
    "--crops data/interim/demo/{crop} --out results/demo/seed0/fold0/pretrain.safetensors"
)
def pretrain(
    run: options.Run,
    seed: options.Seed,
    fold: options.FoldNumber,
    manifest: options.Manifest,
    crops: options.Crops,
    out: options.Out,
    also_manifest: options.AlsoManifests = None,
    also_crops: options.AlsoCrops = None,
    time_budget: options.TimeBudget = None,
    attempt: options.Attempt = None,
) -> None:
    """Stage 1: contrastive pretraining with the activity as a weak label."""
    params, split, inputs = training(run, fold, manifest, crops)
    from clef.training.pretrain import pretrain as train

    also = also_sources(params, also_manifest, also_crops)
    with attempted(params, out, attempt):
        run_training(params, time_budget, partial(train, params, seed, split, inputs, out, also))


@step(
    "clef finetune demo --seed 0 --fold 0 --manifest data/processed/demo/{crop}/manifest.parquet "
    "--crops data/interim/demo/{crop} --stage1 results/demo/seed0/fold0/pretrain.safetensors "
    "--epochs results/demo/seed0/fold0/finetune.epochs.parquet --out results/demo/seed0/fold0/finetune.safetensors"
)
def finetune(
    run: options.Run,
    seed: options.Seed,
    fold: options.FoldNumber,
    manifest: options.Manifest,
    crops: options.Crops,
    out: options.Out,
    epochs: Annotated[Path, typer.Option(help="Output file for the test predictions after each epoch.")],
    stage1: Annotated[Path | None, typer.Option(help="Weights of stage 1 to start from.")] = None,
    inner: Annotated[
        bool, typer.Option("--inner", help="Train without the subjects that `tune` holds out, and predict on them.")
    ] = False,
    test_manifest: options.TestManifest = None,
    test_crops: options.TestCrops = None,
    time_budget: options.TimeBudget = None,
    attempt: options.Attempt = None,
) -> None:
    """Stage 2: learn to match images with the texts of the labels."""
    params, split, inputs = training(run, fold, manifest, crops)
    from clef.manifest.folds import inner_split
    from clef.training.finetune import finetune as train

    if inner:
        if params.tune is None:
            raise ClefError(
                f"--inner: {run} has no `tune` section; expected one with the number of subjects to hold out"
            )
        split = inner_split(split, params.tune.held_out, params.folds.seed)
    other_dataset = other_test_data(params, test_manifest, test_crops)
    replaced = params.finetune.replaces_stage1_of
    stage1_settings = None if replaced is None else run_params(replaced).pretrain
    task = partial(train, params, seed, split, inputs, stage1, out, epochs, other_dataset, stage1_settings)
    with attempted(params, out, attempt):
        run_training(params, time_budget, task)
