"""Subcommands for MLflow."""

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from clef.cli.app import RESULTS_PANEL, app
from clef.errors import ClefError

track = typer.Typer(no_args_is_help=True, help="Update MLflow from the results, or start its UI.")
app.add_typer(track, name="track", rich_help_panel=RESULTS_PANEL)

QUIET_MLFLOW = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
MLFLOW_ENVIRONMENT = QUIET_MLFLOW | {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""Short timeouts and few threads; variables that the user has set take precedence."""


@track.command(epilog="Example: clef track sync demo demo-linear")
def sync(
    runs: Annotated[list[str] | None, typer.Argument(help="Names of runs; all runs if none is given.")] = None,
) -> None:
    """Add missing data to MLflow from the files in results/. Repeating this changes nothing."""
    os.environ |= {**MLFLOW_ENVIRONMENT, **os.environ}
    from clef.runtime.paths import RESULTS
    from clef.tracking.location import find_checkout, without_secrets
    from clef.tracking.record import records_below
    from clef.tracking.store import Store
    from clef.tracking.sync import sync_records

    checkout = find_checkout(Path.cwd())
    results = checkout / RESULTS
    records = {name: records_below(results / name) for name in runs or sorted(path.name for path in results.glob("*"))}
    for name in runs or []:
        if not records[name]:
            raise ClefError(f"{results / name}: contains no records of trainings; train the run, or check its name")
    records = {name: paths for name, paths in records.items() if paths}
    if not records:
        print(f"{results}: contains no records of trainings yet; nothing to do")
        return
    store = Store(checkout)
    store.require()
    failed = []
    for name, paths in records.items():
        values, failure = sync_records(store, paths)
        print(f"{name}: {values} new values" if values else f"{name}: up to date")
        if failure:
            print(f"{name}: FAILED: {failure}")
            failed.append(name)
    if failed:
        raise ClefError(
            f"{without_secrets(store.uri)}: {len(failed)} of {len(records)} runs are incomplete there; "
            f"fix the failures above, then run `clef track sync {' '.join(failed)}`"
        )


@track.command(epilog="Example: clef track ui --port 5001")
def ui(
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 5000,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. With an address other than the default, anyone who can reach it can change and "
            "delete runs."
        ),
    ] = "127.0.0.1",
    allowed_hosts: Annotated[
        str | None,
        typer.Option(help="Host names that browsers and jobs may use for this machine, separated by commas."),
    ] = None,
) -> None:
    """Start the MLflow UI for the store of this checkout."""
    from clef.tracking.location import URI_VARIABLE, find_checkout, without_secrets
    from clef.tracking.store import Store

    store = Store(find_checkout(Path.cwd()))
    if store.database is None:
        print(f"{URI_VARIABLE} is set: the pages are at {without_secrets(store.uri)}")
        return
    try:  # MLflow reports a port in use only after pages of other messages
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise ClefError(f"cannot listen on {host}, port {port} ({reason}); choose another --port or --host") from None
    store.require()
    page = f"http://{host}:{port}/#/experiments?workflowType=machine_learning"
    print(f"starting (up to 30 s): {page}; press ctrl-C to stop", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    command += ["--allowed-hosts", allowed_hosts] if allowed_hosts else []
    command += ["--backend-store-uri", store.uri, "--artifacts-destination", str(store.artifacts)]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    os.execve(sys.executable, command, {**os.environ, **quiet})


@track.command(hidden=True)
def follow(record: Path) -> None:
    """Sync a record until standard input closes. Trainings start this."""
    os.nice(10)
    os.environ |= {**MLFLOW_ENVIRONMENT, **os.environ}
    from clef.tracking.live_sync import follow as follow_record

    print(follow_record(record, sys.stdin) or "")
