"""Download a published file of weights."""

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

TIMEOUT_SECONDS = 60
MEGABYTE = 1_000_000


def fetch(release: Release, target: Path, show: Callable[[int, int], None] | None = None) -> bool:
    """Download a release, unless it exists already, and return whether it was downloaded.

    `show` is called with the megabytes received and the total, if the server reports a size.

    Raises:
        ClefError: The download failed, or the hash differs; the message says how to get the file by hand.
    """
    if target.exists():
        problem = hash_problem(release, file_hash(target))
        if problem and release.confirmed:
            raise ClefError(f"{target}: a different file exists already, {problem}; remove it and run this again")
        return False
    with atomic_write(target) as partial:
        _download(release, partial, target, show)
        problem = hash_problem(release, file_hash(partial))
        if problem and release.confirmed:
            raise _failure(release, target, f"the server sent a different file, {problem}")
        if problem:
            log.warning("%s: may not be the release: %s", target, problem)
    return True


def _download(release: Release, partial: Path, target: Path, show: Callable[[int, int], None] | None) -> None:
    try:
        with urllib.request.urlopen(release.address, timeout=TIMEOUT_SECONDS) as response, open(partial, "wb") as file:
            size = response.headers.get("Content-Length")
            while chunk := response.read(MEGABYTE):
                file.write(chunk)
                if show is not None and size is not None:
                    show(-(-file.tell() // MEGABYTE), -(-int(size) // MEGABYTE))
    except urllib.error.HTTPError as error:
        raise _failure(release, target, f"the server answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise _failure(release, target, f"no connection ({error.reason})") from None
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _failure(release, target, f"the download broke off ({type(error).__name__})") from None
    received = partial.stat().st_size
    if size is not None and received != int(size):
        raise _failure(release, target, f"the download broke off after {received} of {size} bytes")


def _failure(release: Release, target: Path, reason: str) -> ClefError:
    return ClefError(f"{target}: download failed, {reason}; try again, or get {release} and put it at {target}")
