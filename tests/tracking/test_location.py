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


@pytest.mark.parametrize("uri", ["./mlruns", "mlruns", "/home/me/mlruns", "file:./mlruns", "file:///home/me/mlruns"])
def test_a_folder_is_refused_as_store(tmp_path, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(ClefError, match=rf"^MLFLOW_TRACKING_URI={uri}: names a folder, [^\n]* or unset it to"):
        store_uri(tmp_path)


@pytest.mark.parametrize("uri", ["sqlite:////a/b.db", "http://host:5000", "postgresql://host/runs", "databricks"])
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
