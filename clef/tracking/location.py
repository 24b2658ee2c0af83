"""Where MLflow's store and pages are. Nothing here imports MLflow."""

import json
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from clef.runtime.files import write_text
from clef.tracking.record import Record, run_folder, sibling

URI_VARIABLE = "MLFLOW_TRACKING_URI"
LOCAL_PAGES = "http://127.0.0.1:5000"
"""Default address of `clef track ui`, which shows the checkout's own store."""

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
_SECRETS = re.compile(r"(?i)(?<=[?&])((?:\w*password|\w*token|\w*secret|\w*key)=)[^&\s'\"]*")


def current_checkout() -> Path:
    """The checkout that contains the current folder, or the current folder if no checkout does."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if _is_checkout(folder)), here)


def checkout_of(record: Path) -> Path:
    """The checkout whose results contain a record, wherever the command was started."""
    results = run_folder(record).parent
    return results.parent if results.name == "results" else current_checkout()


def without_secrets(text: str) -> str:
    """Remove users, passwords and tokens from the addresses in a text."""
    return _SECRETS.sub(r"\1...", _CREDENTIALS.sub("", text))


def write_page_link(record: Path, key: str, uri: str, experiment: str, run: str, parent: str | None) -> None:
    """Note beside a record which MLflow run shows it, so that its page is found without asking a server.

    Args:
        record: Path of the record.
        key: Key of its run.
        uri: Address of the store; secrets in it are not written.
        experiment: MLflow's id of the experiment.
        run: MLflow's id of the run.
        parent: MLflow's id of the parent run.
    """
    link = {"key": key, "pages": _pages(uri), "experiment": experiment, "run": run, "parent": parent}
    with suppress(OSError):  # the link is a convenience: a full disk must not stop the sync
        write_text(sibling(record, ".mlflow.json"), json.dumps(link, indent=1, sort_keys=True) + "\n")


def read_page_links(path: Path, record: Record) -> tuple[str | None, str | None]:
    """Addresses of the pages of a record's run and of its parent; None if unknown or noted for another training."""
    try:
        link = json.loads(sibling(path, ".mlflow.json").read_text(encoding="utf-8"))
        if link["key"] != record.run.key:
            return None, None
        runs = f"{link['pages']}/#/experiments/{link['experiment']}/runs/"
        return f"{runs}{link['run']}", f"{runs}{link['parent']}" if link["parent"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None, None


def _pages(uri: str) -> str:
    parts = urlsplit(without_secrets(uri))
    if parts.scheme not in ("http", "https"):
        return LOCAL_PAGES
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _is_checkout(folder: Path) -> bool:
    return (folder / "Snakefile").is_file() or (folder / "results" / "mlflow.db").is_file()
