import os
import subprocess
import sys

import pytest

from tests.cli.conftest import ENVIRONMENT, ROOT, clef, on_a_terminal

STILLS = """
dataset: {adapter: demo_expr, name: few}
render: {kind: stills, size: 160, train_images: 30, test_images: 8}
labels: {kind: expressions, expressions: [neutral, happiness]}
folds: {protocol: official, number: 1}
"""
MANY = STILLS.replace("train_images: 30", "train_images: 3000")
RENDER = ("render-demo", "few", "--out", "data/raw/few")


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "few.yaml").write_text(STILLS)
    return tmp_path


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT, cwd=ROOT)


def test_with_a_log_the_terminal_gets_one_line_with_the_name_of_the_job(checkout):
    ran = clef("--log", "logs/render.log", *RENDER, folder=checkout)
    assert ran.returncode == 0
    assert ran.stderr == "render-demo few: 39 files in data/raw/few\n"
    assert "39 files in data/raw/few" in (checkout / "logs" / "render.log").read_text()


EVERYTHING = """
import logging, os, sys, warnings
from pathlib import Path
from clef.cli.terminal_and_log import output
from clef.runtime.progress import notice
output.job = "job"
output.open(Path(sys.argv[1]))
logging.getLogger("clef.part").info("a detail")
logging.getLogger("clef.part").warning("two\\nlines")
logging.getLogger("library").warning("a library warns")
notice("what was done")
warnings.warn("a Python warning")
os.write(2, b"a C library\\n")
print("result")
"""


def test_the_log_gets_everything_and_the_terminal_what_matters(tmp_path):
    ran = python(EVERYTHING, str(tmp_path / "log"))
    assert ran.stderr == "job: warning: two lines\njob: what was done\n"
    assert ran.stdout == "result\n"
    log = (tmp_path / "log").read_text()
    for words in ("a detail", "two\nlines", "a library warns", "what was done", "a Python warning", "a C library"):
        assert words in log, words


def test_a_crash_below_python_leaves_its_trace_in_the_log(tmp_path):
    code = "import ctypes, sys\nfrom pathlib import Path\nfrom clef.cli.terminal_and_log import output\n"
    code += "output.open(Path(sys.argv[1]))\nctypes.string_at(0)\n"
    ran = python(code, str(tmp_path / "log"))
    assert ran.returncode < 0
    assert ran.stderr == ""
    assert "Segmentation fault" in (tmp_path / "log").read_text()


def test_a_log_is_written_anew(checkout):
    (checkout / "old.log").write_text("what another job said")
    clef("--log", "old.log", *RENDER, folder=checkout)
    assert "another job" not in (checkout / "old.log").read_text()


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


def test_lines_of_jobs_side_by_side_stay_whole(tmp_path):
    end, start = os.pipe()
    names = "abc"
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", LINES, str(tmp_path / name), name], stderr=start, env=ENVIRONMENT, cwd=ROOT
        )
        for name in names
    ]
    os.close(start)
    with open(end) as pipe:
        lines = pipe.read().splitlines()
    assert [job.wait() for job in jobs] == [0, 0, 0]
    assert sorted(lines) == sorted(f"{name}: {name * 400}" for name in names for _ in range(300))


def test_a_terminal_gets_a_bar_with_time_left(checkout):
    code, shown = on_a_terminal(*RENDER, folder=checkout)
    assert code == 0
    assert "38/38" in shown
    assert "39 files in data/raw/few" in shown


def test_no_bar_where_a_log_is_asked_for(checkout):
    _, shown = on_a_terminal("--log", "log", *RENDER, folder=checkout)
    assert shown.replace("\r", "") == "render-demo few: 39 files in data/raw/few\n"


def test_ctrl_c_is_one_line_and_exit_code_130(checkout):
    (checkout / "params" / "few.yaml").write_text(MANY)
    code, shown = on_a_terminal(*RENDER, folder=checkout, interrupt_at=b"/3008")
    assert code == 130
    assert "Traceback" not in shown
    assert "clef: interrupted; run the same command to resume" in shown
    assert not (checkout / "data" / "raw" / "few" / "render.json").exists()
    assert not list(checkout.rglob("*.partial"))
