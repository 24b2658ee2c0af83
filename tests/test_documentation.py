"""What the documentation names is there: commands, their options, targets, runs, files and links."""

import re
import shlex

import pytest
import typer

from clef.cli.app import app
from tests.documentation import PAGES, ROOT, commands, inline

SUBCOMMANDS = typer.main.get_command(app)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
RUNS = {path.stem for path in (ROOT / "params").glob("*.yaml")} | {"mine", "demo-pictures"}
PLACEHOLDER = re.compile(r"[A-Z]{3,}|[{}<>…*]")

SAID = [(page.name, command) for page in PAGES for command in (*commands(page), *inline(page))]


@pytest.mark.parametrize(("page", "command"), SAID, ids=[f"{page}: {command}" for page, command in SAID])
def test_a_command_is_one_that_exists(page, command):
    program, *words = shlex.split(command)
    if program == "clef":
        known = SUBCOMMANDS
        while hasattr(known, "commands") and words and not words[0].startswith("-"):
            assert words[0] in known.commands, f"no subcommand {words[0]}"
            known = known.commands[words.pop(0)]
        options = {name for parameter in known.params for name in (*parameter.opts, *parameter.secondary_opts)}
        said = {word.split("=")[0] for word in words if word.startswith("-")}
        assert said <= options | {"--help", "-h"}
    elif program == "make":
        assert {word for word in words if "=" not in word} <= TARGETS
    elif program == "snakemake":
        for word in words:
            if (found := re.fullmatch(r"results/([^/]+)/summary\.csv", word)) and not PLACEHOLDER.search(found[1]):
                assert found[1] in RUNS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith(("http://", "https://")):
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page):
    for name in re.findall(r"`((?:clef|docs|params|tests|workflow)/[\w./-]+)`", page.read_text(encoding="utf-8")):
        if not PLACEHOLDER.search(name) and name not in ("params/mine.yaml", "params/demo-pictures.yaml"):
            assert (ROOT / name).exists(), name
