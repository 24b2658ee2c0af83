from pathlib import Path

import pytest

from tests.cli.conftest import clef, on_a_terminal

UNUSED = "data/interim/demo/00000000"
LISTED = "   2.0 kB  data/interim/demo/00000000  (crops of settings that no params file uses)"


@pytest.fixture
def checkout(tmp_path) -> Path:
    for name, content in {
        "params/demo.yaml": "dataset: {adapter: demo}\nrender: {}\n",
        f"{UNUSED}/F001.arrow": "0" * 2000,
        "data/raw/demo/videos/F001/T1.mp4": "video",
        "results/forgotten/seed0/fold0/metrics.json": "{}",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_a_dry_run_lists_and_removes_nothing(checkout):
    ran = clef("clean", "--dry-run", folder=checkout)
    assert ran.returncode == 0
    assert LISTED in ran.stdout
    assert "results without params file, forgotten; --results takes them too" in ran.stdout
    assert "2.0 kB could go; nothing was removed" in ran.stdout
    assert (checkout / UNUSED).exists()


def test_without_a_terminal_it_refuses_unless_told_yes(checkout):
    ran = clef("clean", folder=checkout)
    assert ran.returncode == 1
    assert "no terminal to ask on; say --yes" in ran.stderr
    assert (checkout / UNUSED).exists()
    ran = clef("clean", "--yes", folder=checkout)
    assert ran.returncode == 0
    assert "2.0 kB removed" in ran.stdout
    assert not (checkout / UNUSED).exists()
    assert (checkout / "data/raw/demo/videos/F001/T1.mp4").exists()
    assert (checkout / "results/forgotten").exists()
    assert "Nothing to remove" in clef("clean", "--yes", folder=checkout).stdout


@pytest.mark.parametrize(("answer", "there"), [(b"n\n", True), (b"\n", True), (b"y\n", False)])
def test_on_a_terminal_it_asks(answer, there, checkout):
    code, shown = on_a_terminal("clean", folder=checkout, answer=answer)
    assert code == 0
    assert "Remove these, 2.0 kB? [y/N]" in shown
    assert (checkout / UNUSED).exists() == there


def test_results_go_when_asked_for(checkout):
    clef("clean", "--yes", "--results", folder=checkout)
    assert not (checkout / "results/forgotten").exists()


def test_only_what_belongs_to_a_run(checkout):
    (checkout / "params/other.yaml").write_text("dataset: {adapter: demo, name: other}\nrender: {}\n")
    assert "Nothing to remove" in clef("clean", "-n", "other", folder=checkout).stdout
    assert LISTED in clef("clean", "-n", "demo", folder=checkout).stdout
    ran = clef("clean", "-n", "xyz", folder=checkout)
    assert ran.returncode == 1
    assert "no run xyz; expected one of demo, other, forgotten" in ran.stderr


def test_a_broken_params_file_stops_it(checkout):
    """It might be the one that uses these crops."""
    (checkout / "params/broken.yaml").write_text("dataset: {adaptor: demo}\n")
    assert clef("clean", "--yes", folder=checkout).returncode == 1
    assert (checkout / UNUSED).exists()


def test_nothing_goes_while_a_workflow_is_at_work(checkout):
    (checkout / ".snakemake/locks").mkdir(parents=True)
    (checkout / ".snakemake/locks/0.input.lock").write_text("")
    ran = clef("clean", "--yes", folder=checkout)
    assert ran.returncode == 1
    assert "a workflow is at work here" in ran.stderr
    assert (checkout / UNUSED).exists()
