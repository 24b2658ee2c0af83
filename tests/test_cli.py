import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def clef(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clef", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "COLUMNS": "120"},
    )


def test_help_lists_the_steps_in_their_order():
    ran = clef("--help")
    assert ran.returncode == 0
    steps = ["render-demo", "ingest", "crop", "manifest", "pretrain", "finetune", "evaluate", "summarize"]
    places = [ran.stdout.index(f" {step} ") for step in steps]
    assert places == sorted(places)


def test_help_imports_nothing_heavy():
    code = "import sys; sys.argv = ['clef', '--help']\nfrom clef.cli import main\n"
    code += "try:\n    main()\nexcept SystemExit:\n    pass\n"
    code += "assert not {'torch', 'pandas', 'cv2', 'numpy', 'open_clip'} & set(sys.modules), sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["params", "nowhere"], "params: no run nowhere; expected one of demo, "),
        (["show", "nowhere"], "results/nowhere/summary.json: no such file; finish the run"),
        (["show", "{folder}/other.json"], "other.json: not a summary; expected the summary.json"),
        (["params", "params/demo.yaml"], "no run params/demo.yaml; expected one of demo, "),
        (["ingest", "demo", "--raw", "nowhere", "--out", "x"], "nowhere: no recordings of demo found"),
        (
            ["crop", "demo", "--crop", "00000000", "--raw", ".", "--sequences", "s", "--shard", "F001", "--out", "x"],
            "--crop: no run over demo has crops 00000000",
        ),
        (
            ["pretrain", "demo", "--seed", "0", "--fold", "9", "--manifest", "m", "--crops", "c", "--out", "x"],
            "--fold: demo has no fold 9; expected 0 to 2",
        ),
        (["render-demo", "nowhere", "--out", "x"], "params: no run over a data set nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(arguments, message, tmp_path):
    (tmp_path / "other.json").write_text('{"a": 1}')
    ran = clef(*(argument.format(folder=tmp_path) for argument in arguments))
    assert ran.returncode == 1
    assert ran.stderr.startswith("clef: error: ")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_debug_shows_the_traceback():
    ran = clef("--debug", "params", "nowhere")
    assert ran.returncode == 1
    assert "Traceback" in ran.stderr


def test_wrong_usage_is_exit_code_2():
    assert clef("pretrain", "demo").returncode == 2


def test_params_prints_every_default():
    ran = clef("params", "demo")
    assert ran.returncode == 0
    assert ran.stdout.startswith("# crops: ")
    assert "weight_decay: 0.05" in ran.stdout


def test_a_broken_file_of_another_run_stops_nothing(tmp_path):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "good.yaml").write_text("dataset: {adapter: demo}\nrender: {}\n")
    (tmp_path / "params" / "broken.yaml").write_text("dataset: {adaptor: demo}\n")
    assert clef("params", "good", folder=tmp_path).returncode == 0
    ran = clef("ingest", "demo", "--raw", "nowhere", "--out", "x", folder=tmp_path)
    assert "no recordings of demo found" in ran.stderr
