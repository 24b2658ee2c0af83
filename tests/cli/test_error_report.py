import errno
import os
import socket
import subprocess
import sys
import tempfile

import pytest

from clef.cli import params
from clef.cli.error_report import report_error
from clef.errors import ClefError, Unfinished
from tests.cli.conftest import ENVIRONMENT, ROOT, clef, python

SPACE = "free some space (`clef clean` lists what can go), then run the same command to resume"


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (ClefError("labels.csv: no rows"), "error: labels.csv: no rows", 1),
        (Unfinished("step 3 is saved"), "step 3 is saved", 75),
        (KeyboardInterrupt(), "interrupted; run the same command to resume", 130),
        (OSError(errno.ENOSPC, "", "x.jpg"), f"error: x.jpg: No space left on device; {SPACE}", 1),
        (OSError(errno.EROFS, "", "x.jpg"), "error: x.jpg: Read-only file system; choose a writable path", 1),
        (OSError(errno.ENOTDIR, "", "data"), "error: data: Not a directory; check this path", 1),
    ],
)
def test_an_expected_error_is_one_line_with_an_exit_code(error, line, code, capsys):
    assert report_error(error, debug=False) == code
    assert capsys.readouterr().err == f"clef: {line}\n"


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """Break `clef params`."""

    def fail(run):
        raise ValueError("the first line\nand a second")

    monkeypatch.setattr(params, "run_params", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.usefixtures("broken")
def test_an_unexpected_error_is_one_line_with_the_file_of_its_traceback(clef_here, tmp_path):
    ran = clef_here("params", "demo")
    (saved,) = tmp_path.glob("clef-*.log")
    assert ran.returncode == 1
    assert ran.stderr == (
        f"clef: error: unexpected ValueError: the first line; the traceback is in {saved}; "
        "if it happens again, report it with the traceback\n"
    )
    assert "Traceback" in saved.read_text()
    assert "and a second" in saved.read_text()


BROKEN = """
from clef.cli import main, params
def fail(run): raise ValueError("the first line\\nand a second")
params.run_params = fail
main()
"""


def test_with_a_log_the_traceback_of_an_unexpected_error_is_in_the_log(tmp_path):
    ran = python("-c", BROKEN, "--log", str(tmp_path / "job.log"), "params", "demo")
    assert ran.stderr.count("\n") == 1
    assert f"the traceback is in {tmp_path / 'job.log'};" in ran.stderr
    log = (tmp_path / "job.log").read_text()
    assert log.splitlines()[1].startswith("Traceback")
    assert "ValueError: the first line\nand a second" in log


def test_with_a_log_an_expected_error_has_its_line_there_and_no_traceback(tmp_path):
    ran = clef("--log", str(tmp_path / "log"), "params", "nowhere")
    assert ran.returncode == 1
    assert ran.stderr.startswith("clef: error: params: no run nowhere")
    assert ran.stderr.endswith(f"(log: {tmp_path / 'log'})\n")
    first, *rest = (tmp_path / "log").read_text().splitlines(keepends=True)
    assert f" on {socket.gethostname()}" in first
    assert "".join(rest) == ran.stderr


def test_a_closed_pipe_is_no_error():
    end, start = os.pipe()
    os.close(end)
    command = [sys.executable, "-m", "clef", "params", "demo"]
    ran = subprocess.run(command, stdout=start, stderr=subprocess.PIPE, check=False, env=ENVIRONMENT, cwd=ROOT)
    os.close(start)
    assert ran.stderr == b""
