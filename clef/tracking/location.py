"""Where MLflow's store and pages are. Nothing here imports MLflow."""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from clef.errors import ClefError
from clef.runtime.files import write_text
from clef.runtime.paths import RESULTS
from clef.tracking.record import sibling

URI_VARIABLE = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"

_DATABASE_FILE = re.compile(r"(?i)sqlite(?:\+pysqlite)?:///(.+)")
_HOST_AND_PORT = re.compile(r"[\w.-]{2,}:\d+(/.*)?")  # one letter is a drive
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
_SECRETS = re.compile(r"(?i)(?<=[?&])((?:\w*password|\w*token|\w*secret|\w*key)=)[^&\s'\"]*")


def find_checkout(path: Path) -> Path:
    """The checkout that contains a path, or the current folder if none does."""
    path = path.absolute()
    for folder in (path, *path.parents):
        if (folder / "Snakefile").is_file() or (folder / RESULTS / "mlflow.db").is_file():
            return folder
    return Path.cwd()


def store_uri(checkout: Path) -> str:
    """Address of the store that `MLFLOW_TRACKING_URI` names, or of the checkout's own database.

    Relative paths start at the checkout, since jobs and commands run in different folders.

    Raises:
        ClefError: The variable names no database and no server.
    """
    uri = os.environ.get(URI_VARIABLE, "").strip() or f"{SQLITE}{RESULTS / 'mlflow.db'}"
    if (database := _DATABASE_FILE.fullmatch(uri)) and not database[1].startswith((":memory:", "?")):
        return f"{SQLITE}{checkout.absolute() / os.path.expanduser(database[1])}"
    scheme = uri.partition(":")[0].lower()
    if scheme.startswith("sqlite"):
        problem = "names no database file"
    elif scheme in ("uc", "databricks-uc"):
        problem = "names a registry of models, which keeps no runs"
    elif _HOST_AND_PORT.fullmatch(uri):
        problem = "starts with neither http:// nor https://"
    elif scheme == "file" or not ("://" in uri or scheme == "databricks"):
        problem = "is a path, and MLflow no longer keeps runs in folders"
    else:
        return uri
    raise ClefError(
        f"{URI_VARIABLE}={uri}: {problem}; set it to {SQLITE}FILE.db or to the address of a server, or unset it to use "
        "the checkout's own database"
    )


def without_secrets(text: str) -> str:
    """Remove users, passwords and tokens from the addresses in a text."""
    return _SECRETS.sub(r"\1...", _CREDENTIALS.sub("", text))


def write_page_links(record: Path, key: str, uri: str, experiment: str, run: str, parent: str | None) -> None:
    """Write the addresses of the pages of a run and its parent; `experiment`, `run` and `parent` are MLflow's ids."""
    address = urlsplit(without_secrets(uri))
    pages = f"{address.scheme}://{address.netloc}{address.path.rstrip('/')}"
    if address.scheme not in ("http", "https"):  # then `clef track ui` shows them, by default here
        pages = "http://127.0.0.1:5000"
    runs = f"{pages}/#/experiments/{experiment}/runs"
    links = {"key": key, "run": f"{runs}/{run}", "parent": parent and f"{runs}/{parent}"}
    with suppress(OSError):  # the links are a convenience: a full disk must not stop the sync
        write_text(sibling(record, ".mlflow.json"), json.dumps(links, indent=1) + "\n")


def read_page_links(record: Path, key: str) -> tuple[str | None, str | None]:
    """Addresses of the pages of a record's run and its parent; None if unknown or written for another key."""
    try:
        links = json.loads(sibling(record, ".mlflow.json").read_text(encoding="utf-8"))
        return (links["run"], links["parent"]) if links["key"] == key else (None, None)
    except (OSError, ValueError, KeyError, TypeError):
        return None, None
