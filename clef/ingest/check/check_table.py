"""A report as text, for a terminal, a file, or a bug report."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clef.ingest.check.report import Report, Row, Value


def format_report(report: Report) -> Iterator[RenderableType]:
    """Table, remarks, problems, verdict, versions."""
    yield Text(f"clef check {report.dataset}: adapter {report.adapter}, raw data in {report.root}\n", style="bold")
    if report.rows:
        yield _table(report)
    if report.source:
        yield Text(f"Expected: {report.source}\n", style="dim")
    for kind, messages in (("problem", report.problems), ("remark", report.remarks)):
        for message in messages:
            yield Text(f"{kind}: {message}")
    yield Text(f"\nverdict: {report.verdict}\n", style="bold")
    yield Text(", ".join(f"{name} {version}" for name, version in report.versions.items()), style="dim")


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
        mark = Text("!" if row.differs else "", style="bold")
        table.add_row(row.what, _text(row, row.found), _text(row, row.expected), mark, Text(row.note, style="dim"))
    return table


def _text(row: Row, value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{100 * value:.1f} %"
    return f"{value:,}" if isinstance(value, int) else value
