import re
from pathlib import Path

import pytest

from clef.errors import ClefError
from clef.tracking.location import find_checkout, store_uri, without_secrets
from clef.tracking.store import short_message


@pytest.mark.parametrize("marker", ["Snakefile", "results/mlflow.db"])
def test_a_checkout_is_found_from_any_path_in_it(bare_checkout, marker):
    record = bare_checkout / "results" / "toy" / "seed0" / "fold0" / "finetune.track.json"
    record.parent.mkdir(parents=True)
    assert find_checkout(Path("/elsewhere")) == bare_checkout, "the current folder"
    (bare_checkout / marker).touch()
    assert find_checkout(record) == find_checkout(record.parent) == bare_checkout


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        *((uri, "is a path") for uri in ("./mlruns", "mlruns", "/home/me/mlruns", "C:\\runs", "~/mlruns.db")),
        *((uri, "is a path") for uri in ("file:./mlruns", "file:///home/me/mlruns", "File:///home/me/mlruns")),
        *((uri, "names no database file") for uri in ("sqlite:", "sqlite:runs.db", "sqlite://", "sqlite:///")),
        *((uri, "names no database file") for uri in ("sqlite:///:memory:", "sqlite:///?timeout=3")),
        *((uri, "starts with neither http://") for uri in ("localhost:5000", "127.0.0.1:5000", "login-1.lab.org:80/a")),
        *((uri, "names a registry of models") for uri in ("uc", "uc:http://h", "databricks-uc", "databricks-uc://me")),
    ],
)
def test_what_is_neither_a_database_nor_a_server_is_refused(tmp_path, monkeypatch, uri, problem):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    advice = r"[^\n]*; set it to sqlite:///FILE.db or [^\n]* or unset it to"
    with pytest.raises(ClefError, match=f"^MLFLOW_TRACKING_URI={re.escape(uri)}: {problem}{advice}"):
        store_uri(tmp_path)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:///runs.db", "runs.db"),
        (" sqlite:///runs.db\n", "runs.db"),
        ("SQLITE:///runs.db?timeout=3", "runs.db?timeout=3"),
        ("sqlite+pysqlite:///runs.db", "runs.db"),
        ("sqlite:///~/runs.db", "home/runs.db"),
        (" ", "results/mlflow.db"),
    ],
)
def test_a_relative_path_of_a_database_starts_at_the_checkout(tmp_path, monkeypatch, uri, path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert store_uri(tmp_path) == f"sqlite:///{tmp_path}/{path}"


@pytest.mark.parametrize(
    "uri", ["sqlite:////a/b.db", "http://host:5000", "postgresql://host/runs", "databricks", "databricks://me"]
)
def test_other_addresses_are_used_as_they_are(tmp_path, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert store_uri(tmp_path) == uri


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://host:5000/a", "http://host:5000/a"),
        ("https://user:pass@word@host/a", "https://host/a"),
        ("postgresql://user:pw@db:5432/mlflow", "postgresql://db:5432/mlflow"),
        ("mysql://db/mlflow?user=u&password=pw&ssl=1", "mysql://db/mlflow?user=u&password=...&ssl=1"),
        ("sqlite:////a/b@c.db", "sqlite:////a/b@c.db"),
        ("cannot reach http://u:p@host: refused", "cannot reach http://host: refused"),
    ],
)
def test_addresses_are_shown_without_secrets(uri, shown):
    assert without_secrets(uri) == shown
    assert short_message(OSError(uri)) == shown


def test_a_long_message_ends_with_its_first_sentence():
    sentence = (
        "The tracking URI must be a valid http or https URI, but it was currently set to file:///somewhere/" + 40 * "a"
    )
    assert short_message(OSError(f"{sentence}. Perhaps something else is wrong.")) == sentence
    assert short_message(OSError("b" * 500)) == 117 * "b" + "..."
