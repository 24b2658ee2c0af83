"""Fetching a published file of weights where there is a network, and saying what to do where there is none."""

import http.client
import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from clef.errors import ClefError
from clef.runtime.files import atomic_write, file_hash
from clef.weights.releases import Release, hash_problem

log = logging.getLogger(__name__)

SECONDS = 60
"""How long a server may say nothing."""
MEGABYTE = 1_000_000


def fetch(release: Release, target: Path, tell: Callable[[int, int], None] | None = None) -> bool:
    """Download a release, unless it is there already. Nothing that is not the whole release is left at `target`.

    Args:
        release: What, from where, and its hash.
        target: The file to write.
        tell: Called with megabytes that have come and megabytes in all, where the server says how many.

    Returns:
        False where it was there already.

    Raises:
        ClefError: There is another file of that name, no network, no such file at the address, a download that broke
            off, or another hash. The line names file, address, hash and place.
    """
    if target.exists():
        problem = hash_problem(release, file_hash(target))
        if problem and release.confirmed:
            raise ClefError(f"{target}: there is another file already, {problem}; remove it and run this again")
        return False
    with atomic_write(target) as partial:
        _download(release, partial, target, tell)
        problem = hash_problem(release, file_hash(partial))
        if problem and release.confirmed:
            raise _by_hand(release, target, f"what came is another file, {problem}")
        if problem:
            log.warning("%s: may not be the release: %s", target, problem)
    return True


def _download(release: Release, partial: Path, target: Path, tell: Callable[[int, int], None] | None) -> None:
    try:
        with urllib.request.urlopen(release.address, timeout=SECONDS) as answer, open(partial, "wb") as file:
            declared = answer.headers.get("Content-Length")
            while chunk := answer.read(MEGABYTE):
                file.write(chunk)
                if tell is not None and declared is not None:
                    tell(-(-file.tell() // MEGABYTE), -(-int(declared) // MEGABYTE))
    except urllib.error.HTTPError as error:
        raise _by_hand(release, target, f"the server says {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise _by_hand(release, target, f"no way there from here ({error.reason})") from None
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _by_hand(release, target, f"the download broke off ({type(error).__name__})") from None
    received = partial.stat().st_size
    if declared is not None and received != int(declared):
        raise _by_hand(release, target, f"the download broke off after {received} of {declared} bytes")


def _by_hand(release: Release, target: Path, reason: str) -> ClefError:
    return ClefError(f"{target}: not fetched, {reason}; try again, or get {release} elsewhere and put it at {target}")
