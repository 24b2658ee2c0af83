"""A table of texts that becomes HTML, LaTeX and Markdown. `templates/macros.html` writes the HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

_LATEX = {character: rf"\{character}" for character in "&%$#_{}"}
_LATEX |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
_LATEX |= {"|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}"}


@dataclass(frozen=True)
class Table:
    """Rows of texts below headings."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: str
    """`l` or `r` per column."""
    totals: int = 0
    """Number of rows at the end that are set apart."""
    marked: frozenset[int] = frozenset()
    """Rows in bold type."""


def latex(table: Table) -> str:
    r"""A floating table for the package booktabs."""
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_latex_text(table.caption)}}}",
        rf"  \begin{{tabular}}{{{table.align}}}",
        r"    \toprule",
        f"    {_latex_row(table.columns)}",
        r"    \midrule",
    ]
    for number, row in enumerate(table.rows):
        if table.totals and number == len(table.rows) - table.totals:
            lines.append(r"    \midrule")
        lines.append(f"    {_latex_row(row, bold=number in table.marked)}")
    return "\n".join([*lines, r"    \bottomrule", r"  \end{tabular}", r"\end{table}", ""])


def markdown(table: Table) -> str:
    """A table in GitHub's flavour below its caption."""
    rules = ["---:" if side == "r" else "---" for side in table.align]
    rows = [_markdown_row(row, bold=number in table.marked) for number, row in enumerate(table.rows)]
    return "\n".join([table.caption, "", _markdown_row(table.columns), f"|{'|'.join(rules)}|", *rows, ""])


def _latex_row(cells: Sequence[str], bold: bool = False) -> str:
    texts = [rf"\textbf{{{_latex_text(cell)}}}" if bold and cell else _latex_text(cell) for cell in cells]
    return " & ".join(texts) + r" \\"


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text).replace(" - ", "--")


def _markdown_row(cells: Sequence[str], bold: bool = False) -> str:
    texts = [cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells]
    return f"| {' | '.join(f'**{text}**' if bold and text else text for text in texts)} |"
