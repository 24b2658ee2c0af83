"""The one error that a user is meant to read."""


class ClefError(Exception):
    """Something the user can mend. The message is one line: what, where, what was expected, what to do."""
