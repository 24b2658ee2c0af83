"""What was found in a raw copy, row by row next to what was expected, and the verdict."""

import re
from dataclasses import dataclass, field
from importlib.metadata import version
from platform import python_version, system
from typing import Any

from clef import __version__
from clef.errors import abbreviate

Value = int | float | str | None


@dataclass(frozen=True)
class ReportRow:
    """One line of the table."""

    part: str
    """`copy`, `labels`, `rates` or `classes`."""
    what: str
    found: Value
    """A count, a share from 0 to 1 (float), or text."""
    expected: Value = None
    """As `found`; None if unknown."""
    differs: bool = False
    note: str = ""


def library_versions() -> dict[str, str]:
    """Versions of CLEF, Python and the libraries that read the data."""
    versions = {"clef": __version__, "python": python_version(), "system": system()}
    versions |= {"av": version("av"), "numpy": version("numpy"), "opencv": version("opencv-python-headless")}
    return versions | {"pandas": version("pandas"), "pyarrow": version("pyarrow")}


@dataclass
class Report:
    """Findings about a raw copy. Messages are one line each, with paths relative to `root`."""

    dataset: str
    adapter: str
    root: str
    source: str | None = None
    """Where the published counts come from."""
    rows: list[ReportRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Findings that would stop the workflow."""
    remarks: list[str] = field(default_factory=list)
    """Findings that do not stop it."""
    versions: dict[str, str] = field(default_factory=library_versions)

    def count(self, part: str, what: str, found: int, expected: int | None, note: str = "") -> None:
        """Add a row of two counts."""
        self.rows.append(ReportRow(part, what, found, expected, expected is not None and found != expected, note))

    def problem(self, message: str) -> None:
        """Add a problem."""
        self.problems.append(self._relative(message))

    def remark(self, message: str) -> None:
        """Add a remark."""
        self.remarks.append(self._relative(message))

    def judge(self, stops: bool, message: str) -> None:
        """Add a problem if it stops the workflow, otherwise a remark."""
        (self.problem if stops else self.remark)(message)

    def _relative(self, message: str) -> str:
        """Remove the root from paths, except in commands: reports are made to be shown to others."""
        pattern = rf"(?<![\w./-]){re.escape(self.root.rstrip('/'))}(?:/|: )"
        parts = message.split("`")  # every second one is a command
        return "`".join([part if number % 2 else re.sub(pattern, "", part) for number, part in enumerate(parts)])

    @property
    def usable(self) -> bool:
        """True if nothing would stop the workflow."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """The result of the check, on one line."""
        if self.problems:
            more = f" (and {plural(len(self.problems) - 1, 'more problem')})" if len(self.problems) > 1 else ""
            return f"not usable: {self.problems[0]}{more}"
        differing = [row.what for row in self.rows if row.differs]
        if differing:
            return f"usable, not as expected: {abbreviate(differing)}"
        if self.remarks:
            return f"usable, with {plural(len(self.remarks), 'remark')}: {self.remarks[0]}"
        return "complete: all as expected"

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data, for JSON."""
        rows = [vars(row) for row in self.rows]
        return {"verdict": self.verdict, "usable": self.usable} | vars(self) | {"rows": rows}


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as `1 recording` or `2 recordings`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
