"""The checkout's own SQLite store."""

import subprocess
import sys

from clef.tracking.store import Store
from tests.tracking.conftest import wait_until

CREATE = "import sys, pathlib, clef.tracking.store as store; store.Store(pathlib.Path(sys.argv[1])).require()"


def test_a_process_killed_while_it_creates_the_database_leaves_none(tmp_path):
    results = tmp_path / "results"
    with subprocess.Popen([sys.executable, "-c", CREATE, str(tmp_path)], stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: any(path.stat().st_size for path in results.glob(".mlflow.db.*.partial")))
        child.kill()
    assert not (results / "mlflow.db").exists()
    with Store(tmp_path).creating() as client:
        assert client.search_experiments()
    assert (results / "mlflow.db").is_file()
    assert not list(results.glob("*.partial"))
