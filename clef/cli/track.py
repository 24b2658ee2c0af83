"""Subcommands about MLflow."""

import errno
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import RESULTS, app
from clef.errors import ClefError

track = typer.Typer(no_args_is_help=True, help="MLflow: bring it up to date, look at it.")
app.add_typer(track, name="track", rich_help_panel=RESULTS)

NICENESS = 10
LOOPBACK = "127.0.0.1"
TRAINING_PAGES = "#/experiments?workflowType=machine_learning"
"""By itself MLflow opens its pages about language models."""


@track.command(epilog="Example: clef track sync demo demo-linear")
def sync(
    runs: Annotated[list[str] | None, typer.Argument(help="Names of runs; all in results/ if none is given.")] = None,
) -> None:
    """Bring MLflow what it lacks of runs, from the files in results/. Doing so twice doubles nothing."""
    _calmly()
    from clef.runtime.paths import RESULTS
    from clef.runtime.progress import progress
    from clef.tracking.place import checkout_here
    from clef.tracking.sync import sync as bring

    results, found = checkout_here() / RESULTS, False
    with progress("record") as tell:
        for done in bring(results, runs or [], tell):
            found = True
            records = done.trainings + done.summarized
            what = f"{done.trainings} trainings" + (" and the summary" if done.summarized else ", not summarized")
            news = "nothing was lacking" if done.complete == records else f"{done.values} values brought in"
            print(f"{done.run}: {what}: {news}" + ("" if done.failure is None else f"; FAILED: {done.failure}"))
    if not found:
        print(f"{results}: no records of trainings yet: nothing to bring in")


@track.command(epilog="Example: clef track ui --port 5001")
def ui(
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 5000,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on; other than this machine's own, everybody who reaches "
            "it can change and delete runs."
        ),
    ] = LOOPBACK,
    allowed_hosts: Annotated[
        str | None,
        typer.Option(
            help="Names by which browsers and jobs call this machine, separated by commas; MLflow refuses all others."
        ),
    ] = None,
) -> None:
    """Open MLflow's pages on this machine, with the store that the runs of this checkout go to."""
    from clef.tracking.desk import URI_VARIABLE
    from clef.tracking.place import checkout_here, shown_uri
    from clef.tracking.store import Store

    store = Store(checkout_here())
    if not store.local:
        print(f"{URI_VARIABLE} is set: the pages are at {shown_uri(store.uri)}")
        return
    _require_port(host, port)
    store.require()
    print(f"starting, up to half a minute: http://{host}:{port}/{TRAINING_PAGES}; ctrl-C ends it", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    command += ["--allowed-hosts", allowed_hosts] if allowed_hosts else []
    command += ["--backend-store-uri", store.uri, "--artifacts-destination", str(store.artifacts)]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    os.execve(sys.executable, command, {**os.environ, **quiet})


@track.command(hidden=True)
def follow() -> None:
    """Keep MLflow up to date beside trainings, which start this by themselves."""
    os.nice(NICENESS)
    from clef.tracking.desk import Desk

    desk = Desk(Path.cwd())
    with desk.attend() as attending:
        if attending:
            from clef.tracking.follower import serve

            serve(desk)


def _require_port(host: str, port: int) -> None:
    """Make sure that a server can listen there: MLflow's own would say so only after pages of other things.

    Raises:
        ClefError: It cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ClefError(
                f"port {port} is taken; take another: `clef track ui --port N`, or `make ui port=N`"
            ) from None
        raise ClefError(
            f"cannot listen on {host}, port {port} ({error.strerror or error}); choose another --host or --port"
        ) from None


def _calmly() -> None:
    """Short time-outs, unless the user set others."""
    from clef.tracking.following import ENVIRONMENT

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
