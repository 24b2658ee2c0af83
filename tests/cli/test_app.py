import pytest
from typer.main import get_command

from clef.cli.app import app
from tests.cli.conftest import python


def test_help_lists_the_steps_in_their_order(clef_here):
    ran = clef_here("-h")
    assert ran.returncode == 0
    steps = ["render-demo", "ingest", "crop", "manifest", "pretrain", "finetune", "evaluate", "summarize"]
    positions = [ran.stdout.index(f" {step} ") for step in steps]
    assert positions == sorted(positions)
    assert all(ran.stdout.count(panel) == 1 for panel in ("Steps of the workflow", "Results", "Params, data and disk"))
    assert "Exit codes: 0 success" in ran.stdout
    assert clef_here("pretrain", "demo").returncode == 2


def test_help_imports_nothing_heavy():
    code = "import sys; sys.argv = ['clef', '--help']\nfrom clef.cli import main\n"
    code += "try:\n    main()\nexcept SystemExit:\n    pass\n"
    heavy = {"torch", "pandas", "cv2", "numpy", "open_clip", "mlflow", "dvc", "pydantic", "pyarrow", "matplotlib"}
    ran = python("-c", f"{code}print({heavy} & set(sys.modules), file=sys.stderr)")
    assert ran.stderr == "set()\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("params nowhere", "params: no run nowhere; expected one of affectnet, "),
        ("params params/demo.yaml", "params: invalid run name 'params/demo.yaml'; expected letters, digits"),
        ("show bp4d", "results/bp4d/summary.json: no such file; finish the run"),
        ("show dmeo", "params: no run dmeo; did you mean demo?"),
        ("show nowhere.json", "nowhere.json: no such file; finish the run"),
        ("show {folder}/other.json", "other.json: not a summary; expected a summary.json"),
        ("compare demo demo-linera", "params: no run demo-linera; did you mean demo-linear?"),
        ("crop demo --crop 0000 --raw . --shard F001 --out x", "--crop: no run over demo has crops 0000"),
        ("pretrain demo --seed 0 --fold 9 --manifest m --crops c --out x", "demo has no fold 9; expected 0 to 2"),
        ("render-demo nowhere --out x", "params: no run over a data set nowhere; expected one of"),
        ("fetch-weights mtcnn", "unknown weights mtcnn; expected one of retinaface, yunet"),
        ("check bp4", "params: no run over a data set bp4; did you mean bp4d?"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(arguments, message, clef_here, tmp_path):
    (tmp_path / "other.json").write_text('{"a": 1}')
    ran = clef_here(*arguments.format(folder=tmp_path).split())
    assert ran.returncode == 1
    assert ran.stderr.startswith("clef: error: ")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_every_subcommand_has_an_example_with_valid_arguments():
    for name, command in get_command(app).commands.items():
        if not hasattr(command, "commands"):
            example = (command.epilog or "").removeprefix("Example: clef ").split()
            assert example[:1] == [name], name
            command.make_context(name, example[1:])


def test_a_broken_file_of_another_run_stops_nothing(clef_here, tmp_path):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "good.yaml").write_text("dataset: {adapter: demo}\nrender: {}\n")
    (tmp_path / "params" / "broken.yaml").write_text("dataset: {adaptor: demo}\n")
    ran = clef_here("params", "good", folder=tmp_path)
    assert ran.returncode == 0
    assert ran.stdout.startswith("# crops: ")
    crop = "crop demo --crop 00000000 --raw . --shard F001 --out x"
    assert "no run over demo has crops 00000000" in clef_here(*crop.split(), folder=tmp_path).stderr
