from pathlib import Path

import pytest

from clef.tracking.location import find_checkout, without_secrets
from clef.tracking.store import short_message


@pytest.mark.parametrize("marker", ["Snakefile", "results/mlflow.db"])
def test_a_checkout_is_found_from_any_path_in_it(bare_checkout, marker):
    record = bare_checkout / "results" / "toy" / "seed0" / "fold0" / "finetune.track.json"
    record.parent.mkdir(parents=True)
    assert find_checkout(Path("/elsewhere")) == bare_checkout, "the current folder"
    (bare_checkout / marker).touch()
    assert find_checkout(record) == find_checkout(record.parent) == bare_checkout


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
