import re
import shlex

from typer.main import get_command

from clef.cli.app import app
from clef.runs.messages import TAIL_BYTES, PlannedJob, failed, finished, job_name, read_tail, started
from tests.workflow.conftest import ROOT, copy_checkout, snakemake

PLANNED = re.compile(
    r"^(?:local)?rule (\w+):$.*?^ +wildcards: (.*?)$.*?^Shell command: python -m clef (.*?)$", re.MULTILINE | re.DOTALL
)
RULES = {
    rule
    for path in (ROOT / "workflow/rules").glob("*.smk")
    for rule in re.findall(r"^(?:use rule \w+ as|rule) (\w+)", path.read_text(), re.MULTILINE)
    if rule not in ("unknown_run", "unknown_table")  # these have no job
}
TARGETS = [
    "results/demo-tuned/summary.csv",
    "results/demo-tuned/probe.csv",
    "results/demo-tuned/ablation.csv",
    "weights/face_detection_yunet_2023mar.onnx",
]


def test_a_job_has_one_name_in_the_workflow_and_in_its_log(tmp_path):
    """Otherwise the message at the end does not find the cause of a failure in the log."""
    jobs = PLANNED.findall(snakemake(copy_checkout(tmp_path), "-n", "-p", "--forceall", *TARGETS))
    assert {rule for rule, _, _ in jobs} == RULES
    for rule, wildcards, command in jobs:
        log, _, step, *rest = shlex.split(command)
        assert log == "--log"
        params = get_command(app).commands[step].make_context(step, rest).params
        assert job_name(rule, dict(pair.split("=") for pair in wildcards.split(", "))) == job_name(step, params)


def test_the_tail_of_a_file_has_whole_lines_only(tmp_path):
    log = tmp_path / "long.log"
    for count in (3, 20_000):
        lines = [b"line %d" % number for number in range(count)]
        log.write_bytes(b"\n".join(lines) + b"\n")
        tail = read_tail(log).splitlines()
        assert tail == lines[-len(tail) :]
        assert count == len(tail) or len(b"\n".join(tail)) > TAIL_BYTES - 20
    assert read_tail(tmp_path / "missing.log") == b""


def summarize(*runs: str) -> list[PlannedJob]:
    return [PlannedJob("summarize", {"run": run}, [], []) for run in runs]


def test_the_message_at_the_start_names_results_jobs_and_device():
    text = started(summarize("demo"), {"cpu"})
    for words in ("results/demo/summary.csv", "jobs    1", "cpu", ".log", "press ctrl-C"):
        assert words in text
    assert "the requested files" in started([PlannedJob("crop", {}, [], [])], [])


def test_the_message_at_the_end_names_commands_for_the_runs():
    assert "clef show demo " in finished(summarize("demo"), 268)
    assert "4 min 28 s" in finished(summarize("demo"), 268)
    assert "clef compare demo demo-linear " in finished(summarize("demo-linear", "demo"), 1)
    assert "clef show" not in finished([], 1)


def crop_job(folder, number: int, log: str | None) -> PlannedJob:
    """A job with what it wrote to its log; None if it was not started."""
    path = folder / f"{number}.log"
    if log is not None:
        path.write_text(log)
    wildcards = {"dataset": "demo", "shard": f"F00{number}"}
    return PlannedJob("crop", wildcards, [str(path.with_suffix(".arrow"))], [str(path)])


def test_each_failed_job_is_reported_with_the_last_line_of_its_log(tmp_path):
    own = "10:00:00 INFO    something\ncrop demo F001: error: F001_T1.mp4: broken; fix it (log: x)\n"
    logs = (own, "10:00:00 INFO something\n", None, own)
    jobs = [crop_job(tmp_path, number, log) for number, log in enumerate(logs, start=1)]
    (tmp_path / "4.arrow").touch()
    lines = failed(jobs, 0).splitlines()
    assert lines[0] == "CLEF: 2 jobs failed. Fix the cause, then run the same command to resume."
    assert lines[1] == "  crop demo F001: error: F001_T1.mp4: broken; fix it (log: x)"
    assert lines[2].startswith("  crop demo F002: ended without a message, perhaps killed or out of memory (log: ")
    assert len(lines) == 3, "a job that was not started and one that is done are not reported"
    later = (tmp_path / "1.log").stat().st_mtime + 1
    assert failed(jobs, later).startswith("CLEF: a job failed, see above.")


def test_an_interruption_is_not_a_failure(tmp_path):
    job = crop_job(tmp_path, 1, "crop demo F001: interrupted; run the same command to resume\n")
    assert failed([job], 0).startswith("CLEF: interrupted after ")
