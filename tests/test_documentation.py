"""The commands, options, targets, runs, files and links that the documentation names exist."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import mlflow.cli
import pytest
import typer
import yaml

from clef.cli.app import app
from tests.documentation import PAGES, ROOT, commands, fenced, inline

SUBCOMMANDS = typer.main.get_command(app)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
RUNS = {path.stem for path in (ROOT / "params").glob("*.yaml")} | {"mine", "demo-pictures"}
PLACEHOLDER = re.compile(r"[A-Z]{3,}|[{}<>…*]")

BLOCKS = [(page.name, command) for page in PAGES for command in (*commands(page), *fenced(page))]
COMMANDS = [*BLOCKS, *((page.name, command) for page in PAGES for command in inline(page))]


def subcommand(words: list[str]) -> tuple[click.Command, list[str]]:
    """The subcommand of `clef`, and the words after it."""
    known = SUBCOMMANDS
    while hasattr(known, "commands") and words and not words[0].startswith("-"):
        assert words[0] in known.commands, f"no subcommand {words[0]}"
        known, words = known.commands[words[0]], words[1:]
    return known, words


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[f"{page}: {command}" for page, command in COMMANDS])
def test_a_command_and_its_options_exist(page, command):
    program, *words = shlex.split(command)
    if program == "clef":
        known, words = subcommand(words)
        options = {name for parameter in known.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.split("=")[0] for word in words if word.startswith("-")} <= options | {"--help", "-h"}
    elif program == "make":
        assert {word for word in words if "=" not in word} <= TARGETS
    elif program == "mlflow":
        assert words[0] in mlflow.cli.cli.commands
    elif program == "python" and words[0] == "-m":
        assert importlib.util.find_spec(words[1])
    elif program == "snakemake":
        for word in words:
            if (found := re.fullmatch(r"results/([^/]+)/summary\.csv", word)) and not PLACEHOLDER.search(found[1]):
                assert found[1] in RUNS


@pytest.mark.parametrize(("page", "command"), BLOCKS, ids=[f"{page}: {command}" for page, command in BLOCKS])
def test_a_command_has_the_options_that_it_needs(page, command):
    program, *words = shlex.split(command)
    if program == "clef" and not PLACEHOLDER.search(command):
        known, words = subcommand(words)
        needed = [one for one in known.params if one.required and one.param_type_name == "option"]
        assert all(set(one.opts) & {word.split("=")[0] for word in words} for one in needed), f"needs {needed}"


def test_make_help_lists_the_targets():
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert {line.split()[0] for line in shown.splitlines()} == TARGETS


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


def test_the_site_builds_without_warnings_and_lists_every_page(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "not included in the" not in built.stderr
    pages = {page.stem for page in PAGES if page.parent.name == "docs"} - {"index"}
    assert {path.parent.name for path in tmp_path.glob("*/index.html")} == pages
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=.https?://(?!.*canonical)", index)
