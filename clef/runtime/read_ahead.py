"""Work on the next items of an iterator in threads, while others are used. Only a few are in memory at a time."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
MapInOrder = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
"""`map`, or a function like it that works on several items at the same time."""
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


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], pool: ThreadPoolExecutor, number: int
) -> Iterator[Result]:
    """Like `map`, with up to `number` calls in a pool of threads. Results and errors come in the order of the items."""
    calls: deque[Future[Result]] = deque()
    try:
        for item in items:
            calls.append(pool.submit(function, item))
            if len(calls) >= number:
                yield calls.popleft().result()
        while calls:
            yield calls.popleft().result()
    finally:
        for call in calls:
            call.cancel()
