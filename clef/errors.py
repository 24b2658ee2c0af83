"""Errors that users see, and their wording."""

from collections.abc import Sequence


class ClefError(Exception):
    """An error that the user can fix. The message is one line: what is wrong, where, what was expected, what to do."""


class Unfinished(ClefError):  # noqa: N818 - it is not a failure
    """Work stopped early and saved its progress, so the same command resumes it."""


class LeaseHeldError(ClefError):
    """Another process holds the lease of an output, see `clef.runtime.lease`."""


class KilledError(ClefError):
    """A child process was killed, for example because memory ran out."""


def abbreviate(names: Sequence[str], limit: int = 8) -> str:
    """List the first names in a message, such as `F001, F002 and 39 more`."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
