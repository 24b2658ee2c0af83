import os
import subprocess
import sys

import pytest

from tests.cli.conftest import ENVIRONMENT, ROOT, on_a_terminal, python

STILLS = """
dataset: {adapter: demo_expr, name: few}
render: {kind: stills, size: 160, train_images: 4, test_images: 2}
labels: {kind: expressions, expressions: [neutral, happiness]}
folds: {protocol: official, number: 1}
"""
RENDER = ("render-demo", "few", "--out", "data/raw/few")


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "few.yaml").write_text(STILLS)
    return tmp_path


def test_with_a_log_the_terminal_gets_lines_of_the_job_and_no_bar(checkout):
    (checkout / "render.log").write_text("an old line")
    code, shown = on_a_terminal("--log", "render.log", *RENDER, folder=checkout)
    assert code == 0
    lines = shown.splitlines()
    assert all(line.startswith("render-demo few: ") for line in lines)
    assert lines[-1] == "render-demo few: 7 files in data/raw/few"
    log = (checkout / "render.log").read_text()
    assert "an old line" not in log


def test_ctrl_c_is_one_line_and_exit_code_130(checkout):
    (checkout / "params" / "few.yaml").write_text(STILLS.replace("train_images: 4", "train_images: 3000"))
    code, shown = on_a_terminal(*RENDER, folder=checkout, interrupt_at=b"/3002")
    assert code == 130
    assert "Traceback" not in shown
    assert "clef: interrupted; run the same command to resume" in shown
    assert not (checkout / "data" / "raw" / "few" / "render.json").exists()
    assert not list(checkout.rglob("*.partial"))


MESSAGES = """
import logging, os, sys, warnings
from pathlib import Path
from clef.cli.terminal_and_log import output
from clef.runtime.progress import notice
output.job = "job"
output.open(Path(sys.argv[1]))
logging.getLogger("clef.part").info("a detail")
logging.getLogger("clef.part").warning("two\\nlines")
logging.getLogger("library").warning("a library warns")
notice("a result")
warnings.warn("a Python warning")
os.write(2, b"a C library\\n")
print("output")
"""


def test_the_log_gets_everything_and_the_terminal_the_essentials(tmp_path):
    ran = python("-c", MESSAGES, str(tmp_path / "log"))
    assert ran.stderr == "job: warning: two lines\njob: a result\n"
    assert ran.stdout == "output\n"
    log = (tmp_path / "log").read_text()
    for words in ("a detail", "two\nlines", "a library warns", "a result", "a Python warning", "a C library"):
        assert words in log, words


LINES = """
import sys
from pathlib import Path
from clef.cli.terminal_and_log import output
from clef.runtime.progress import notice
output.job = sys.argv[2]
output.open(Path(sys.argv[1]))
for _ in range(300):
    notice("%s", sys.argv[2] * 400)
"""


def test_lines_of_parallel_jobs_stay_whole(tmp_path):
    end, start = os.pipe()
    commands = {name: [sys.executable, "-c", LINES, str(tmp_path / name), name] for name in "abc"}
    jobs = [subprocess.Popen(command, stderr=start, env=ENVIRONMENT, cwd=ROOT) for command in commands.values()]
    os.close(start)
    with open(end) as pipe:
        lines = pipe.read().splitlines()
    assert [job.wait() for job in jobs] == [0, 0, 0]
    assert sorted(lines) == sorted(f"{name}: {name * 400}" for name in commands for _ in range(300))
