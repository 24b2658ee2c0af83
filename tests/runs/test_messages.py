import re
import shlex

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from clef.cli.app import app
from clef.runs.messages import failed, finished, job_name, started
from tests.workflow.conftest import ROOT, copy_checkout, snakemake


def test_a_job_is_named_by_its_wildcards_or_its_arguments():
    assert job_name("render_demo", {"dataset": "demo"}) == "render-demo demo"
    assert job_name("crop", {"dataset": "demo", "crop": "1ab4cd25", "shard": "F001"}) == "crop demo F001"
    assert job_name("finetune", {"run": "demo", "seed": 0, "fold": 1, "inner": False}) == "finetune demo seed 0 fold 1"
    assert job_name("finetune", {"run": "demo", "seed": 0, "fold": 1, "inner": True}).endswith("fold 1 inner")


PLANNED = re.compile(
    r"^(?:local)?rule (\w+):$.*?^ +wildcards: (.*?)$.*?^Shell command: python -m clef (.*?)$", re.MULTILINE | re.DOTALL
)
WRITTEN = re.compile(r"^rule (\w+):$|^use rule \w+ as (\w+) with:$", re.MULTILINE)
RULES = [
    one or other
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for one, other in WRITTEN.findall(path.read_text())
    if one != "unknown_run"  # it ends in a message and no job
]
TARGETS = ["results/demo-tuned/summary.csv", "weights/face_detection_yunet_2023mar.onnx"]


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Rule, wildcards and command of every kind of job, as Snakemake has them."""
    folder = copy_checkout(tmp_path_factory.mktemp("checkout"))
    plans = "\n".join(snakemake(folder, "-n", "-p", "--forceall", target) for target in TARGETS)
    return {
        rule: (dict(pair.split("=") for pair in wildcards.split(", ")), shlex.split(command))
        for rule, wildcards, command in PLANNED.findall(plans)
    }


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_calls_its_job_as_the_job_calls_itself(planned, rule):
    """Else the end of the workflow finds nothing that a failed job has said."""
    wildcards, arguments = planned[rule]
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    log, _, step, *rest = arguments
    assert log == "--log"
    job = command.commands[step].make_context(step, rest)
    assert job_name(rule, wildcards) == job_name(step, job.params)


def test_the_banner_says_what_where_and_that_it_can_be_stopped():
    text = started(["demo"], 31, 2, ["cpu"], ["about 1 GB needed"])
    for words in ("results/demo/summary.csv", "31, on 2 cores", "cpu", "about 1 GB needed", ".log", "ctrl-C is safe"):
        assert words in text
    assert "cores" not in started(["demo"], 31, None, [], [])


def test_the_farewell_names_commands_for_these_runs():
    assert "clef show demo " in finished(["demo"], 268)
    assert "4 min 28 s" in finished(["demo"], 268)
    assert "clef compare demo demo-linear " in finished(["demo", "demo-linear"], 1)
    assert "clef show" not in finished([], 1)


def test_each_failed_job_is_told_in_its_own_words(tmp_path):
    log = tmp_path / "crop.log"
    log.write_text("10:00:00 INFO    something\ncrop demo F001: error: F001_T1.mp4: broken; mend it (log: x)\n")
    text = failed({"crop demo F001": [str(log)], "crop demo F002": [str(tmp_path / "none.log")]}, 5)
    assert "2 jobs failed" in text
    assert "  crop demo F001: error: F001_T1.mp4: broken; mend it (log: x)" in text
    assert (
        f"  crop demo F002: ended without a word, as when it is killed or out of memory (log: {tmp_path}/none.log)"
        in text
    )


def test_being_stopped_is_no_failure(tmp_path):
    log = tmp_path / "log"
    log.write_text("crop demo F001: stopped by ctrl-C; nothing half-made is left\n")
    assert failed({"crop demo F001": [str(log)]}, 65).startswith("CLEF: stopped after 1 min 05 s;")
    assert failed({}, 65).startswith("CLEF: stopped")
