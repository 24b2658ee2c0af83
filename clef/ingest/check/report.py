"""What a check found, row by row against what was expected, and the verdict."""

import re
from dataclasses import dataclass, field
from importlib.metadata import version
from platform import python_version, system
from typing import Any

from clef import __version__
from clef.runtime.wording import some

Value = int | float | str | None

LIBRARIES = {"av": "av", "numpy": "numpy", "opencv": "opencv-python-headless", "pandas": "pandas", "pyarrow": "pyarrow"}
"""Distribution of each library that reads the data."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    part: str
    """What it is about: `copy`, `labels`, `rates` or `classes`."""
    what: str
    found: Value
    """A count, a share from 0 to 1 (as float), or words."""
    expected: Value = None
    """Likewise; None where nothing is known."""
    differs: bool = False
    note: str = ""


@dataclass
class Findings:
    """What the parts of a check add to."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What would stop the workflow sooner or later."""
    remarks: list[str] = field(default_factory=list)
    """What would not, and should be known."""

    def count(self, part: str, what: str, found: int, expected: int | None, note: str = "") -> None:
        """Add a row of two counts."""
        self.rows.append(Row(part, what, found, expected, expected is not None and found != expected, note))

    def judge(self, stops: bool, message: str) -> None:
        """Add a problem, or else a remark."""
        (self.problems if stops else self.remarks).append(message)


@dataclass(frozen=True)
class Report:
    """All that a check has to say."""

    dataset: str
    adapter: str
    root: str
    """As it was given."""
    source: str | None
    """Where the published figures come from."""
    rows: list[Row]
    problems: list[str]
    remarks: list[str]
    versions: dict[str, str]

    @property
    def usable(self) -> bool:
        """True where nothing would stop the workflow."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """One line."""
        if self.problems:
            more = f" (and {number_of(len(self.problems) - 1, 'more problem')})" if len(self.problems) > 1 else ""
            return f"not usable: {self.problems[0]}{more}"
        differing = [row.what for row in self.rows if row.differs]
        if differing:
            return f"usable, not as expected: {some(differing)}"
        if self.remarks:
            return f"usable, with {number_of(len(self.remarks), 'remark')}: {self.remarks[0]}"
        return "complete: all as expected"

    def as_dict(self) -> dict[str, Any]:
        """The same for a machine."""
        rows = [vars(row) for row in self.rows]
        return {"verdict": self.verdict, "usable": self.usable} | vars(self) | {"rows": rows}


def report(dataset: str, adapter: str, root: str, source: str | None, findings: Findings) -> Report:
    """Put a report together. Paths in it are relative to the root: it is made to be shown to others."""
    below = re.compile(rf"(?<![\w./-]){re.escape(root.rstrip('/'))}(?:/|: )")

    def relative(message: str) -> str:
        return below.sub("", message)

    problems, remarks = (list(map(relative, said)) for said in (findings.problems, findings.remarks))
    return Report(dataset, adapter, root, source, findings.rows, problems, remarks, _versions())


def number_of(count: int, thing: str) -> str:
    """Such as `1 recording` or `2 recordings`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _versions() -> dict[str, str]:
    versions = {"clef": __version__, "python": python_version(), "system": system()}
    return versions | {library: version(distribution) for library, distribution in LIBRARIES.items()}
