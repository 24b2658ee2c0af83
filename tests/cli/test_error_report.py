import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ENVIRONMENT, ROOT, clef
from tests.cli.test_terminal_and_log import RENDER, STILLS
from tests.mounts import mounted

BROKEN = """
import sys
from clef.cli import app, main
@app.app.command()
def broken():
    raise ValueError("the first line\\nand a second")
main()
"""


def broken(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BROKEN, *options, "broken"]
    environment = ENVIRONMENT | {"TMPDIR": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)


def test_the_unexpected_is_one_line_that_says_where_its_traceback_is(tmp_path):
    ran = broken(tmp_path)
    (saved,) = tmp_path.glob("clef-*.log")
    assert ran.returncode == 1
    assert ran.stderr == (
        f"clef: error: unexpected ValueError: the first line; the traceback is in {saved}; "
        "if it happens again, report it with the traceback\n"
    )
    assert "Traceback" in saved.read_text()
    assert "and a second" in saved.read_text()


def test_with_a_log_the_traceback_is_there(tmp_path):
    ran = broken(tmp_path, "--log", str(tmp_path / "job.log"))
    assert ran.stderr.count("\n") == 1
    assert f"the traceback is in {tmp_path / 'job.log'};" in ran.stderr
    log = (tmp_path / "job.log").read_text()
    assert log.splitlines()[1].startswith("Traceback")
    assert "ValueError: the first line\nand a second" in log


def test_with_debug_the_traceback_is_shown_and_no_file_made(tmp_path):
    ran = broken(tmp_path, "--debug")
    assert "Traceback" in ran.stderr
    assert not list(tmp_path.iterdir())


def test_a_mistake_leaves_its_line_in_the_log_and_no_traceback(tmp_path):
    ran = clef("--log", str(tmp_path / "log"), "params", "nowhere")
    assert ran.returncode == 1
    assert ran.stderr.startswith("clef: error: params: no run nowhere")
    assert ran.stderr.endswith(f"(log: {tmp_path / 'log'})\n")
    where, *rest = (tmp_path / "log").read_text().splitlines(keepends=True)
    assert f" on {socket.gethostname()}" in where
    assert "".join(rest) == ran.stderr


def test_a_closed_pipe_is_no_error_to_speak_of():
    end, start = os.pipe()
    os.close(end)
    command = [sys.executable, "-m", "clef", "params", "demo"]
    ran = subprocess.run(
        command, stdout=start, stderr=subprocess.PIPE, text=True, check=False, env=ENVIRONMENT, cwd=ROOT
    )
    os.close(start)
    assert ran.stderr == ""


def test_a_file_in_place_of_a_folder_is_one_line(tmp_path):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "few.yaml").write_text(STILLS)
    (tmp_path / "data").write_text("not a folder")
    ran = clef(*RENDER, folder=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "data" in ran.stderr
    assert "Not a directory" in ran.stderr


@pytest.fixture
def small_disk(tmp_path):
    """A real file system with room for 256 KB."""
    with mounted(tmp_path, "size=256k") as disk:
        yield disk


def test_a_full_disk_is_one_line_that_names_the_file_and_nothing_half_made(small_disk):
    (small_disk / "params").mkdir()
    (small_disk / "params" / "few.yaml").write_text(STILLS.replace("train_images: 30", "train_images: 120"))
    ran = clef(*RENDER, folder=small_disk)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith("clef: error: data/raw/few/images/")
    assert ".jpg: No space left on device; free some space (`clef clean` lists what can go)" in ran.stderr
    assert not list(small_disk.rglob("*.partial"))


def test_a_read_only_disk_is_one_line(small_disk):
    (small_disk / "params").mkdir()
    (small_disk / "params" / "few.yaml").write_text(STILLS)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    ran = clef(*RENDER, folder=small_disk)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "Read-only file system; choose a writable path" in ran.stderr
    assert "data" in ran.stderr
