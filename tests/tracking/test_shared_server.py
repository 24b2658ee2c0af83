import shlex
import subprocess
import urllib.error
import urllib.request

import mlflow
import pytest

from tests.documentation import ROOT, commands
from tests.tracking.conftest import free_port, wait_until

SERVERS = [
    line for page in ("tracking", "cluster") for line in commands(ROOT / "docs" / f"{page}.md") if "server" in line
]


def status(port: int, host: str) -> int | None:
    """HTTP status of the list of experiments, as asked for under a host name; None without an answer."""
    address = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/search?max_results=1"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers={"Host": host}), timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


@pytest.mark.slow
def test_the_server_of_the_documentation_keeps_runs_and_files_and_knows_its_names(tmp_path, monkeypatch):
    (command,) = {line for line in SERVERS if line.startswith("mlflow server")}
    command = command.replace("/local/disk", str(tmp_path)).replace("/shared/clef", str(tmp_path))
    words = shlex.split(command.replace("--host 0.0.0.0", "--host 127.0.0.1"))
    port = free_port()
    with subprocess.Popen([*words, "--port", str(port)], cwd=tmp_path, stdout=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: status(port, f"login01:{port}") == 200)
            assert status(port, "elsewhere") == 403
            client = mlflow.MlflowClient(f"http://127.0.0.1:{port}")
            run = client.create_run(client.create_experiment("mine")).info.run_id
            client.log_metric(run, "f1", 0.5)
            client.log_text(run, "content", "file.txt")
            assert client.get_run(run).data.metrics == {"f1": 0.5}
        finally:
            server.terminate()
    (file,) = (tmp_path / "artifacts").rglob("file.txt")
    assert file.read_text() == "content"
