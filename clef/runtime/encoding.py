"""The encoding of file names and of text for the terminal."""

import sys

from clef.errors import ClefError


def require_utf8() -> None:
    """Raise ClefError if Python uses another encoding, which would misread names with letters such as é.

    Python uses UTF-8 in the locales C and POSIX too, unless it is told not to.
    """
    if (encoding := sys.getfilesystemencoding()) != "utf-8":
        raise ClefError(f"locale: its encoding is {encoding}, expected utf-8; run `export PYTHONUTF8=1` first")
