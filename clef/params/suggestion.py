"""What may have been meant by a name that is none."""

import difflib
from collections.abc import Iterable


def suggestion(wrong: str, known: Iterable[str], otherwise: str = "another") -> str:
    """Such as `did you mean demo?`, or what there is where nothing is near.

    Args:
        wrong: The name that was given.
        known: Those there are.
        otherwise: What is expected where there are none.
    """
    names = list(known)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"expected one of {', '.join(names)}" if names else f"expected {otherwise}"
