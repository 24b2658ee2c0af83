"""Fill in the templates of pages that need no other file, no network and no script."""

import io
import re
from typing import Any

import jinja2
import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from clef.plots.style import BLUE, GREEN, GREY, INK, METADATA, ORANGE, PALE, STYLE

COLOURS = {BLUE: "blue", ORANGE: "orange", GREEN: "green", GREY: "grey", INK: "ink", "#ffffff": "paper"}
COLOURS |= {STYLE["grid.color"]: "grid", PALE: "pale"}
"""Colours of the plots and the variables of `style.css` that replace them, which differ in a dark page."""

PIXELS_PER_POINT = 4 / 3


def render(template: str, **values: Any) -> str:
    """The text of a page. All values are escaped, except `Markup`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("clef.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = lambda text: Markup("<wbr>").join(re.split(r"(?<=[/_])", str(text)))  # for paths
    return environment.get_template(template).render(values)


def inline_svg(figure: Figure, name: str, description: str) -> Markup:
    """A figure as an SVG element that shrinks with the page, with the page's colours and font.

    Names are unique in a page. `description` is for screen readers.
    """
    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(file, format="svg", metadata=METADATA["svg"], transparent=True)
    text = file.getvalue()
    (box, width), content = _size(text), text[text.index("</metadata>") + len("</metadata>") : text.rindex("</svg>")]
    used = set(re.findall(r"(?:href=\"|url\()#([\w-]+)", content))
    content = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", content)
    content = re.sub(r"font-family: [^;]*; ", "", content)
    for colour, variable in COLOURS.items():
        content = content.replace(colour.lower(), f"var(--{variable})")
    label = Markup.escape(description)
    opening = f'<svg viewBox="{box}" style="max-width: {width:.0f}px" role="img" aria-label="{label}">'
    return Markup(f"{opening}{content}</svg>")


def _size(text: str) -> tuple[str, float]:
    """The view box of an SVG file, and its width in pixels."""
    box = re.search(r'viewBox="([^"]*)"', text)
    assert box is not None
    return box[1], float(box[1].split()[2]) * PIXELS_PER_POINT
