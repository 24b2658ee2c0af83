"""Suggestions for unknown names."""

import difflib
from collections.abc import Iterable


def suggestion(wrong: str, known: Iterable[str], otherwise: str = "another") -> str:
    """Return a hint such as `did you mean demo?`, all names if none is similar, or `otherwise` if none is known."""
    names = list(known)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"expected one of {', '.join(names)}" if names else f"expected {otherwise}"
