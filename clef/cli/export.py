"""The subcommand that exports a trained run."""

import os
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import RESULTS_PANEL, app
from clef.cli.find_run import require_known
from clef.errors import ClefError


@app.command(rich_help_panel=RESULTS_PANEL, epilog="Example: clef export demo --to demo-model")
def export(
    run: Annotated[str, typer.Argument(help="Name of a trained run, or the path of a folder with its results.")],
    to: Annotated[Path, typer.Option(help="Folder to write.", metavar="DIR")],
    seed: Annotated[int | None, typer.Option(help="Export only the models with this seed.")] = None,
    fold: Annotated[str | None, typer.Option(help="Export only the models of this fold.")] = None,
    onnx: Annotated[bool, typer.Option(help="Write the ONNX graph, which takes a while for large models.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    register: Annotated[
        str | None, typer.Option(help="Also add the model to MLflow's registry under this name.", metavar="NAME")
    ] = None,
) -> None:
    """Write a folder with weights, settings, a model card and an ONNX graph of a trained run, to use or publish."""
    from clef.cli.track import QUIET_MLFLOW
    from clef.params.schema import NAME, NAME_EXPECTED
    from clef.runtime.paths import results_folder
    from clef.trained.export import export_run, is_exported
    from clef.trained.run_members import results_of, run_config

    results = results_of(run)
    if results is None:
        require_known(run)
        results = results_folder(run)
    config = run_config(results, seed, fold)
    if register is not None:
        if not NAME.fullmatch(register):
            raise ClefError(f"--register {register}: expected {NAME_EXPECTED}")
        os.environ |= {**QUIET_MLFLOW, **os.environ}
        from clef.tracking.location import find_checkout
        from clef.tracking.store import Store
        from clef.trained.registry import register_model

        store = Store(find_checkout(results))
        store.require()
    if register is None or overwrite or not is_exported(to, config, onnx):
        export_run(results, config, to, onnx, overwrite)
    size = sum(path.stat().st_size for path in to.iterdir()) / 1e6
    members = f"{len(config.members)} model{'s' if len(config.members) > 1 else ''}"
    print(f"{to}: {members}, {size:.0f} MB; read README.md before you publish it")
    if register is not None:
        print(register_model(to, register, results, store))
