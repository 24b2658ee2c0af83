"""Arguments and options that several subcommands share."""

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[str, typer.Argument(help="Name of a run: a file in the params folder, without .yaml.")]
DatasetName = Annotated[str, typer.Argument(help="Name of a data set: `dataset.name` of a run.")]
Raw = Annotated[Path, typer.Option(help="Folder of the raw data.")]
Sequences = Annotated[Path, typer.Option(help="Table of recordings, from `clef ingest`.")]
Crop = Annotated[str, typer.Option(help="Digest of the crop settings, from `clef params`.")]
Crops = Annotated[Path, typer.Option(help="Folder of the crop shards.")]
Manifest = Annotated[Path, typer.Option(help="The manifest, from `clef manifest`.")]
Seed = Annotated[int, typer.Option(help="Seed for initial weights, sampling and augmentation.")]
FoldNumber = Annotated[
    str,
    typer.Option("--fold", help="Number of the fold, starting at 0 (see `clef folds`), or `all` for every subject."),
]
AlsoManifests = Annotated[
    list[Path] | None,
    typer.Option("--also-manifest", help="Manifest of each run in `pretrain.also`; repeat in the same order."),
]
AlsoCrops = Annotated[
    list[Path] | None,
    typer.Option("--also-crops", help="Crop folder of each run in `pretrain.also`; repeat in the same order."),
]
TestManifest = Annotated[
    Path | None, typer.Option(help="Manifest of the run in `test.run`, for a test on another data set.")
]
TestCrops = Annotated[Path | None, typer.Option(help="Crop folder of the run in `test.run`.")]
TimeBudget = Annotated[
    float | None,
    typer.Option(
        help="Minutes until the process will be killed, for example by a cluster. Before then, it saves its state and "
        "exits with code 75; run the same command to resume.",
        min=0.1,
        metavar="MINUTES",
    ),
]
Attempt = Annotated[
    int | None,
    typer.Option(help="Number of this attempt in the workflow. Retries stop after two identical failures.", min=1),
]
Out = Annotated[Path, typer.Option(help="File to write.")]
Workers = Annotated[int, typer.Option(help="Number of processes.", min=1)]
