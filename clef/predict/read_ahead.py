"""Read an iterator in a thread, some items ahead, so that decoding and detection take place at the same time."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")
POLL_SECONDS = 0.2


class StoppedError(Exception):
    """The reader of a queue needs no more items."""


def put(results: queue.Queue[Item], item: Item, stop: threading.Event) -> None:
    """Wait for space in a queue; raise StoppedError when `stop` is set."""
    while not stop.is_set():
        try:
            return results.put(item, timeout=POLL_SECONDS)
        except queue.Full:
            continue
    raise StoppedError


def read_ahead(items: Iterable[Item], number: int) -> Iterator[Item]:
    """Yield the items in order, while a thread fetches up to `number` of the next ones; its errors are raised here."""
    results: queue.Queue[Item | BaseException] = queue.Queue(number)
    stop = threading.Event()

    def fetch() -> None:
        try:
            for item in items:
                put(results, item, stop)
            put(results, StopIteration(), stop)
        except StoppedError:
            return
        except BaseException as error:
            with suppress(StoppedError):
                put(results, error, stop)

    thread = threading.Thread(target=fetch, name="read ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := results.get(), BaseException):
            yield item
        if not isinstance(item, StopIteration):
            raise item
    finally:
        stop.set()
        thread.join()
