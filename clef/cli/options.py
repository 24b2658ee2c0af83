"""Arguments and options that several subcommands share."""

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[str, typer.Argument(help="Name of a run: a file in the params folder, without suffix.")]
DatasetName = Annotated[str, typer.Argument(help="Name of a data set: `dataset.name` of some run.")]
Raw = Annotated[Path, typer.Option(help="Folder of the raw data.")]
Sequences = Annotated[Path, typer.Option(help="Table of recordings, from `clef ingest`.")]
Crop = Annotated[str, typer.Option(help="Digest of the crop settings, as `clef params` prints it.")]
Crops = Annotated[Path, typer.Option(help="Folder of the shards.")]
Manifest = Annotated[Path, typer.Option(help="The manifest.")]
Seed = Annotated[int, typer.Option(help="Seed of weights, sampling and augmentation.")]
FoldNumber = Annotated[
    str, typer.Option("--fold", help="Fold, counted from 0, as `clef folds` shows; or `all`, every subject.")
]
AlsoManifests = Annotated[
    list[Path] | None,
    typer.Option("--also-manifest", help="The manifest of a run that `pretrain.also` names; once for each, in order."),
]
AlsoCrops = Annotated[
    list[Path] | None, typer.Option("--also-crops", help="Folder of its shards; once for each, in order.")
]
TestManifest = Annotated[
    Path | None, typer.Option(help="The manifest of the run that `test` names: another data set to test on.")
]
TestCrops = Annotated[Path | None, typer.Option(help="Folder of its shards.")]
TimeBudget = Annotated[
    float | None,
    typer.Option(
        help="Minutes until this process is ended by force, as by a cluster: it saves and stops before, with exit code "
        "75, and the same command goes on.",
        min=0.1,
        metavar="MINUTES",
    ),
]
Attempt = Annotated[
    int | None,
    typer.Option(help="Which try of the workflow's this is: a retry after two like failures is refused.", min=1),
]
Out = Annotated[Path, typer.Option(help="File to write.")]
Workers = Annotated[int, typer.Option(help="Processes.", min=1)]
