"""A report as text for a terminal, a file, or a bug report."""

import io

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clef.ingest.report import Report, Value


def report_text(report: Report, width: int = 120) -> str:
    """Format table, remarks, problems, verdict and versions."""
    text = io.StringIO()
    console = Console(file=text, width=width)

    def line(content: str, style: str = "") -> None:
        console.print(Text(content, style=style), soft_wrap=True)  # messages stay on one line, so that grep finds them

    line(f"clef check {report.dataset}: adapter {report.adapter}, raw data in {report.root}\n", "bold")
    if report.rows:
        console.print(_table(report))
    if report.source:
        line(f"Expected: {report.source}\n", "dim")
    for kind, messages in (("problem", report.problems), ("remark", report.remarks)):
        for message in messages:
            line(f"{kind}: {message}")
    line(f"\nverdict: {report.verdict}\n", "bold")
    line(", ".join(f"{name} {version}" for name, version in report.versions.items()), "dim")
    return text.getvalue()


def _table(report: Report) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("found", justify="right")
    table.add_column("expected", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    part = report.rows[0].part
    for row in report.rows:
        if row.part != part:
            table.add_section()
            part = row.part
        differs = Text("!" if row.differs else "", style="bold")
        table.add_row(row.what, _text(row.found), _text(row.expected), differs, Text(row.note, style="dim"))
    return table


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{100 * value:.1f} %"
    return f"{value:,}" if isinstance(value, int) else value
