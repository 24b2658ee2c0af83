from clef.reports.table import Table, latex, markdown

TABLE = Table(
    "F1 in per cent, 50 % of it_all.",
    ["", "F1 & more", "95 % interval"],
    [["AU01", "61.0", "57.0 - 63.5"], ["a_b|c\\d~^{}#$", "", "x"], ["mean", "1.0", ""]],
    "lrr",
    totals=1,
    marked=frozenset([0]),
)


def test_latex_has_escaped_cells_and_rules_of_booktabs():
    lines = [line.strip() for line in latex(TABLE).splitlines()]
    assert lines == [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        r"\caption{F1 in per cent, 50 \% of it\_all.}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"& F1 \& more & 95 \% interval \\",
        r"\midrule",
        r"\textbf{AU01} & \textbf{61.0} & \textbf{57.0--63.5} \\",
        r"a\_b\textbar{}c\textbackslash{}d\textasciitilde{}\textasciicircum{}\{\}\#\$ &  & x \\",
        r"\midrule",
        r"mean & 1.0 &  \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_markdown_keeps_cells_in_their_columns():
    assert markdown(TABLE).splitlines() == [
        "F1 in per cent, 50 % of it_all.",
        "",
        "|  | F1 & more | 95 % interval |",
        "|---|---:|---:|",
        "| **AU01** | **61.0** | **57.0 - 63.5** |",
        r"| a_b\|c\\d~^{}#$ |  | x |",
        "| mean | 1.0 |  |",
    ]
