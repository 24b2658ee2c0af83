"""The commands of docs/report.md work."""

import shlex

from tests.comparison.conftest import finish
from tests.documentation import ROOT, commands

__all__ = ["finish"]


def test_the_commands_of_the_page(clef_here, finish, tmp_path):
    for number, run in enumerate(("demo", "demo-linear")):
        finish(run, skip=number)
    listed = commands(ROOT / "docs" / "report.md")
    assert len(listed) == 2
    for command in listed:
        ran = clef_here(*shlex.split(command)[1:], folder=tmp_path)
        assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "comparison.html").exists()
