"""Errors that users see."""


class ClefError(Exception):
    """An error that the user can fix. The message is one line: what is wrong, where, what was expected, what to do."""


class Unfinished(ClefError):  # noqa: N818 - it is not a failure
    """Work stopped early and saved its progress, so the same command resumes it."""
