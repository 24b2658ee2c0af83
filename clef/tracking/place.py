"""Where MLflow is: the checkout whose store is meant, and an address as it may be shown."""

import re
from pathlib import Path

from clef.tracking.record import run_folder

CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")
SECRETS = re.compile(r"(?i)(?<=[?&])((?:\w*password|\w*token|\w*secret|\w*key)=)[^&\s'\"]*")


def checkout_here() -> Path:
    """The checkout that the current folder is, or lies in; where it is in none, the folder itself."""
    here = Path.cwd()
    above = (folder for folder in (here, *here.parents) if _is_checkout(folder))
    return next(above, here)


def checkout_of(record: Path) -> Path:
    """The checkout whose results a record lies in, wherever the command was called."""
    results = run_folder(record).parent
    return results.parent if results.name == "results" else checkout_here()


def shown_uri(text: str) -> str:
    """An address, or a message with addresses in it, without users, passwords and tokens."""
    return SECRETS.sub(r"\1...", CREDENTIALS.sub("", text))


def _is_checkout(folder: Path) -> bool:
    return (folder / "Snakefile").is_file() or (folder / "results" / "mlflow.db").is_file()
