"""Where a training is in MLflow: a small file beside its record, so that its page is found without asking a server."""

import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from clef.runtime.files import write_text
from clef.tracking.place import shown_uri
from clef.tracking.record import Record, sibling

LOCAL_PAGES = "http://127.0.0.1:5000"
"""Where `clef track ui` shows the checkout's own store unless told otherwise."""


def write_link(record: Path, key: str, uri: str, experiment: str, run: str, parent: str | None) -> None:
    """Write down which run MLflow has made of a record. A full disk must not keep MLflow from the rest.

    Args:
        record: Path of the record.
        key: Its unit's.
        uri: Of the store; a password in it is left out.
        experiment: MLflow's id.
        run: MLflow's id.
        parent: MLflow's id of the run that it is nested below.
    """
    found = {"key": key, "pages": _pages(uri), "experiment": experiment, "run": run, "parent": parent}
    with suppress(OSError):
        write_text(_path(record), json.dumps(found, indent=1, sort_keys=True) + "\n")


def read_link(path: Path, record: Record) -> tuple[str | None, str | None]:
    """Addresses of a record's run in MLflow and of its parent's; None where it is not there, or was of another unit."""
    try:
        found = json.loads(_path(path).read_text(encoding="utf-8"))
        if found["key"] != record.unit.key:
            return None, None
        runs = f"{found['pages']}/#/experiments/{found['experiment']}/runs/"
        return f"{runs}{found['run']}", f"{runs}{found['parent']}" if found["parent"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None, None


def _path(record: Path) -> Path:
    return sibling(record, ".mlflow.json")


def _pages(uri: str) -> str:
    parts = urlsplit(shown_uri(uri))
    if parts.scheme not in ("http", "https"):
        return LOCAL_PAGES
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
