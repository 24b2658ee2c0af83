"""The commands, options, targets, runs, files and links that the documentation names exist."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
import yaml

from clef.cli.app import app
from tests.documentation import PAGES, ROOT, commands, inline

SUBCOMMANDS = typer.main.get_command(app)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
RUNS = {path.stem for path in (ROOT / "params").glob("*.yaml")} | {"mine", "demo-pictures"}
PLACEHOLDER = re.compile(r"[A-Z]{3,}|[{}<>…*]")

COMMANDS = [(page.name, command) for page in PAGES for command in (*commands(page), *inline(page))]


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[f"{page}: {command}" for page, command in COMMANDS])
def test_a_command_and_its_options_exist(page, command):
    program, *words = shlex.split(command)
    if program == "clef":
        known = SUBCOMMANDS
        while hasattr(known, "commands") and words and not words[0].startswith("-"):
            assert words[0] in known.commands, f"no subcommand {words[0]}"
            known = known.commands[words.pop(0)]
        options = {name for parameter in known.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.split("=")[0] for word in words if word.startswith("-")} <= options | {"--help", "-h"}
    elif program == "mlflow":
        from mlflow.cli import cli

        options = {name for parameter in cli.commands[words[0]].params for name in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options
    elif program == "make":
        assert {word for word in words if "=" not in word} <= TARGETS
    elif program == "snakemake":
        for word in words:
            if (found := re.fullmatch(r"results/([^/]+)/summary\.csv", word)) and not PLACEHOLDER.search(found[1]):
                assert found[1] in RUNS


BLOCKS = "tests/test_readme.py::test_every_command_does_what_the_readme_says"
LIFE = "tests/workflow/test_data_versions.py::"
LIFE += "test_a_versioned_data_set_from_its_first_version_to_a_checkout_of_an_old_one"
DOWNLOAD = "tests/weights/test_download.py::test_the_command_downloads_the_weights_of_a_detector"
RUN_BY = {
    "make demo": BLOCKS,
    "make test": BLOCKS,
    "clef show demo": BLOCKS,
    "clef compare": BLOCKS,
    "make help": "tests/test_documentation.py::test_make_help_lists_the_targets",
    "make ui": "tests/tracking/test_track_command.py::test_ui_opens_the_pages_of_a_new_store_on_this_machine_only",
    "make test-slow": ".ci/run",
    "clef --help": "tests/cli/test_app.py::test_help_lists_the_steps_in_their_order",
    "clef track sync": "tests/tracking/test_track_command.py::test_sync_adds_what_is_missing_and_again_nothing",
    "clef check bp4d": "tests/workflow/test_miniatures.py::test_bp4d",
    "snakemake --cores 8 results/bp4d/summary.csv": "tests/workflow/test_miniatures.py::test_bp4d",
    "clef params": "tests/cli/test_app.py::test_a_broken_file_of_another_run_stops_nothing",
    "clef fetch-weights retinaface": DOWNLOAD,
    "clef fetch-weights yunet": DOWNLOAD,
    "clef version-data DATASET": LIFE,
    "dvc metrics diff": LIFE,
    "dvc repro run@demo": LIFE,
    "dvc push": "tests/ingest/versions/test_dvc.py::test_dvc_push_does_not_ask",
}
"""Where a command runs that README.md names in running text."""


@pytest.mark.parametrize("command", sorted(set(inline(ROOT / "README.md"))))
def test_a_command_in_running_text_is_run_somewhere(command):
    assert command in RUN_BY, f"say in RUN_BY where a test runs `{command}`"
    path, _, test = RUN_BY[command].partition("::")
    source = (ROOT / path).read_text(encoding="utf-8")
    assert f"def {test}(" in source if test else command in source


def test_make_help_lists_the_targets():
    ran = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    named = {line.split()[0] for line in ran.stdout.splitlines()}
    assert named >= {"demo", "test", "test-slow", "ui", "lint", "types"}
    assert named <= TARGETS


def test_dvc_knows_every_run_that_is_shipped():
    listed = subprocess.run(["git", "ls-files", "params"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert stages["run"]["foreach"] == sorted(Path(path).stem for path in listed.splitlines())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_and_links_exist(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)\)", text):
        assert link.startswith(("http://", "https://")) or (page.parent / link).exists(), link
    for name in re.findall(r"`((?:clef|docs|params|tests|workflow)/[\w./-]+)`", text):
        invented = PLACEHOLDER.search(name) or name in ("params/mine.yaml", "params/demo-pictures.yaml")
        assert invented or (ROOT / name).exists(), name
