"""The one error that a user is meant to read."""


class ClefError(Exception):
    """Something the user can mend. The message is one line: what, where, what was expected, what to do."""


class Unfinished(ClefError):  # noqa: N818 - it is no error
    """Work that stopped by itself with all that it needs to go on saved: no failure. The command is to run again."""
