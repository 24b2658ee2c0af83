import re

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup
from matplotlib.figure import Figure

from clef.plots.style import BLUE, plot_style
from clef.reports.page import inline_svg, render


def drawn(name: str, label: str = "AU01") -> Markup:
    with plot_style():
        figure = Figure(figsize=(3, 2))
        axes = figure.subplots()
        axes.plot([1, 2], [1, 2], "o", color=BLUE)
        axes.set_xlabel(label)
        return inline_svg(figure, name, f"plot of {label}")


def test_an_inline_plot_takes_colours_font_and_size_from_the_page():
    svg = drawn("a")
    assert svg.startswith('<svg viewBox="0 0 216 144" style="max-width: 288px" role="img" aria-label="plot of AU01">')
    assert "var(--blue)" in svg
    assert "var(--ink)" in svg
    assert not re.findall(r"#[0-9a-f]{6}", svg)
    assert "DejaVu" not in svg
    assert "AU01</text>" in svg, "text stays text"


def test_plots_of_one_page_share_no_names_and_refer_to_their_own():
    ids = [re.findall(r' id="([^"]*)"', drawn(name)) for name in ("a", "b")]
    assert ids[0]
    assert not {*ids[0]} & {*ids[1]}
    used = re.findall(r'(?:href="|url\()#([\w-]+)', drawn("a"))
    assert {*used} == {*ids[0]}


def test_text_from_labels_stays_text():
    svg = drawn("a", "$<b>&\"'")
    assert 'aria-label="plot of $&lt;b&gt;&amp;&#34;&#39;"' in svg
    assert "<b>" not in svg


def test_a_page_has_no_hidden_gaps():
    with pytest.raises(UndefinedError):
        render("comparison.html", runs=["a", "b"])
