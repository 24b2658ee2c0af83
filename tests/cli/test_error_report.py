import errno
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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


BROKEN = """
from clef.cli import main, params
def fail(run): raise ValueError("the first line\\nand a second")
params.run_params = fail
main()
"""


def test_an_unexpected_error_is_one_line_with_the_file_of_its_traceback():
    ran = python("-c", BROKEN, "params", "demo")
    start = "clef: error: unexpected ValueError: the first line; the traceback is in "
    saved = Path(re.fullmatch(rf"{start}(/.*/clef-.*\.log); if it happens again, .*\n", ran.stderr)[1])
    assert ran.returncode == 1
    assert "Traceback" in saved.read_text()
    assert "and a second" in saved.read_text()
    saved.unlink()


def test_a_log_gets_the_line_of_an_error_and_the_traceback_of_an_unexpected_one(tmp_path):
    log = tmp_path / "job.log"
    ran = python("-c", BROKEN, "--log", str(log), "params", "demo")
    assert ran.stderr.count("\n") == 1
    assert f"the traceback is in {log};" in ran.stderr
    assert log.read_text().splitlines()[1].startswith("Traceback")
    assert "ValueError: the first line\nand a second" in log.read_text()
    ran = clef("--log", str(log), "params", "nowhere")
    assert ran.returncode == 1
    assert ran.stderr.startswith("clef: error: params: no run nowhere")
    assert ran.stderr.endswith(f"(log: {log})\n")
    first, *rest = log.read_text().splitlines(keepends=True)
    assert f" on {socket.gethostname()}" in first
    assert "".join(rest) == ran.stderr


def test_a_closed_pipe_is_no_error():
    end, start = os.pipe()
    os.close(end)
    command = [sys.executable, "-m", "clef", "params", "demo"]
    ran = subprocess.run(command, stdout=start, stderr=subprocess.PIPE, check=False, env=ENVIRONMENT, cwd=ROOT)
    os.close(start)
    assert ran.stderr == b""
