"""Long lists in messages."""

from collections.abc import Sequence


def abbreviate(names: Sequence[str], limit: int = 8) -> str:
    """The first names of a list, such as `F001, F002 and 39 more`."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
