"""Long lists in messages."""

from collections.abc import Sequence


def some(names: Sequence[str], most: int = 8) -> str:
    """The first few of many names, such as `F001, F002 and 39 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
