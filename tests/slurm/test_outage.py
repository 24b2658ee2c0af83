"""Submissions and status queries while the SLURM controller is down, or forgets jobs too soon."""

import os
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.runs.load import load_params
from clef.runtime.paths import crops_folder
from clef.runtime.slurm import require_job_age
from tests.slurm.cluster import missing_programs, running_cluster, wait_until, write_program
from tests.slurm.submission import copy_of, output_of, start, wait
from tests.workflow.conftest import ROOT, copy_checkout

PROGRAMS = ROOT / "workflow" / "profiles" / "slurm" / "bin"
DOWN = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"
SUBMITTED = "has been submitted"
FAILED_QUERIES = 7
"""Plugin 2.8 asks five times by default; each query takes nine seconds to fail."""


def call(folder: Path, *command: str, **environment: str) -> tuple[int, str, str]:
    """Call a program of the profile; the cluster's programs are in a folder. Returns exit code, output and errors."""
    environment["PATH"] = os.pathsep.join([str(PROGRAMS), str(folder), os.defpath])
    command = (str(PROGRAMS / command[0]), *command[1:])
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout, ran.stderr


def submit(folder: Path, *answers: str, patience: str = "600", record: str = "") -> tuple[int, str, str]:
    """Submit a job, with a cluster's `sbatch` that gives these answers in turn: a number, or an error."""
    for number, answer in enumerate(answers, start=1):
        (folder / f"answer{number}").write_text(answer)
    sbatch = f"""cd {folder}
echo "$PATH $CLEF_SLURM_JOBS$*" >> calls
answer=$(cat "answer$(wc -l < calls)")
case $answer in *error*) echo "$answer" >&2; exit 7;; esac
echo "a warning" >&2
echo "$answer\""""
    write_program(folder / "sbatch", sbatch)
    return call(folder, "sbatch", "--wrap=echo 'a  b'", CLEF_SBATCH_PATIENCE=patience, CLEF_SLURM_JOBS=record)


@pytest.mark.parametrize("recorded", [True, False])
def test_submission_waits_for_the_controller_and_is_recorded(tmp_path, recorded):
    record = tmp_path / "record"
    record.mkdir()
    assert submit(tmp_path, DOWN, DOWN, "12", record=str(record) if recorded else "") == (0, "12\n", "a warning\n")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == [f"{tmp_path}:{os.defpath} --wrap=echo 'a  b'"] * 3  # jobs get the PATH of Snakemake
    assert [file.read_text() for file in record.iterdir()] == (["12\n"] if recorded else [])


@pytest.mark.parametrize(
    ("error", "patience"),
    [
        (DOWN, "0"),
        ("error: invalid partition", "600"),
        ("error: Socket timed out on send/recv operation", "600"),  # the job may have been submitted
    ],
)
def test_submission_fails_after_an_hour_or_another_error(tmp_path, error, patience):
    assert submit(tmp_path, error, "12", patience=patience, record=str(tmp_path)) == (7, "", f"{error}\n")


RUN_QUERY = ["-X", "--noheader", "--name", "clef_1", "--format=JobIdRaw,State"]
DISABLED = "Slurm accounting storage is disabled"
NO_ACCOUNTING = f'echo "{DISABLED}" >&2; exit 1'


@pytest.mark.parametrize(
    ("sacct", "query", "expected"),
    [
        ('echo "$*"; echo "a warning" >&2; exit 4', RUN_QUERY, (4, f"{' '.join(RUN_QUERY)}\n", "a warning\n")),
        (NO_ACCOUNTING, RUN_QUERY, (3, "squeue --format=%i|%T --states=all --noheader --name clef_1\n", "")),
        (NO_ACCOUNTING, ["-nu", "me", "-o", "Account"], (1, "", f"{DISABLED}\n")),
    ],
    ids=["accounting", "no accounting", "other query"],
)
def test_squeue_answers_queries_about_a_run_without_accounting(tmp_path, sacct, query, expected):
    write_program(tmp_path / "sacct", sacct)
    write_program(tmp_path / "squeue", 'echo "squeue $*"; exit 3')
    assert call(tmp_path, "sacct", *query) == expected


@pytest.mark.parametrize(
    ("age", "accounting", "refused"),
    [
        ("2 sec", "accounting_storage/none", True),
        ("239 sec", "(null)", True),
        ("2 sec", "accounting_storage/slurmdbd", False),
        ("300 sec", "accounting_storage/none", False),
        ("0 sec", "accounting_storage/none", False),
    ],
)
def test_slurm_must_remember_ended_jobs(tmp_path, monkeypatch, age, accounting, refused):
    config = (
        f"Configuration data\nAccountingStorageType   = {accounting}\nMinJobAge               = {age}\nSlurmUser = s"
    )
    write_program(tmp_path / "scontrol", f"echo '{config}'")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.defpath]))
    expected = pytest.raises(
        ClefError, match=rf"MinJobAge={age.split()[0]}.*ask its administrator for MinJobAge=240 or"
    )
    with expected if refused else nullcontext():
        require_job_age()


@pytest.mark.slurm
def test_cluster_that_forgets_ended_jobs_is_refused_before_the_first_job(tmp_path):
    if missing := missing_programs():
        pytest.skip(f"no SLURM here: {missing}")
    checkout = copy_checkout(tmp_path / "checkout")
    with running_cluster(min_job_age=2) as forgetful:
        run = start(forgetful.environment, checkout, targets=["data/raw/demo-short/render.json"])
        assert wait(run, checkout) == 1
        (line,) = [line for line in output_of(checkout).splitlines() if line.startswith("CLEF: error: ")]
        assert "MinJobAge=2) and has no accounting" in line
        assert SUBMITTED not in output_of(checkout)


@pytest.mark.slow
@pytest.mark.slurm
def test_outage_during_submissions_and_queries_costs_no_attempt(cluster, rendered, tmp_path):
    folder = copy_of(rendered, tmp_path / "checkout")
    params = load_params(folder / "params" / "demo-short.yaml")
    crops = crops_folder(params.dataset.name, params.crop_digest)
    shards = [f"{crops}/{shard}.arrow" for shard in open_dataset(params).shards()]
    (tmp_path / "bin").mkdir()
    write_program(tmp_path / "bin" / "squeue", f'echo >> {tmp_path}/queries\nexec {cluster.programs}/squeue "$@"')
    path = os.pathsep.join([str(tmp_path / "bin"), cluster.environment["PATH"]])
    options = ["--max-jobs-per-timespan", "2/10s"]
    run = start({"PATH": path}, folder, targets=shards, options=options)
    wait_until(lambda: SUBMITTED in output_of(folder), "Snakemake has submitted a job")
    cluster.stop_controller()
    queries = tmp_path / "queries"
    queries.write_text("")
    wait_until(lambda: queries.read_text().count("\n") >= FAILED_QUERIES, "several queries have failed")
    before = output_of(folder)
    cluster.start_controller()
    assert wait(run, folder) == 0, output_of(folder)
    assert before.count(SUBMITTED) < len(shards), "the controller was stopped too late"
    assert output_of(folder).count(SUBMITTED) == len(shards)
    assert "rror" not in output_of(folder)
