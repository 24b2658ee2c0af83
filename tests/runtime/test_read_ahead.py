import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from clef.runtime.read_ahead import map_ahead, read_ahead


def test_an_error_that_nobody_waits_for_does_not_keep_the_thread():
    failing = threading.Event()

    def items():
        yield from (0, 1)
        failing.set()
        raise ValueError

    reader = read_ahead(items(), 1)
    assert next(reader) == 0
    assert failing.wait(60)
    closing = threading.Thread(target=reader.close, daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()


def test_errors_are_raised_in_order():
    def items():
        yield 0
        raise ValueError("one")

    reader = read_ahead(items(), 3)
    assert next(reader) == 0
    with pytest.raises(ValueError, match="one"):
        next(reader)


def test_a_map_works_on_several_items_and_returns_them_in_order():
    both = threading.Barrier(2, timeout=60)

    def double(item: int) -> int:
        both.wait()  # two calls at a time, or this fails
        return 2 * item

    with ThreadPoolExecutor(2) as pool:
        assert list(map_ahead(double, range(10), pool, 4)) == list(range(0, 20, 2))


def test_a_map_takes_few_items_ahead_and_raises_errors_in_order():
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    def fail_at_5(item: int) -> int:
        if item == 5:
            raise ValueError("five")
        return item

    with ThreadPoolExecutor(2) as pool:
        results = map_ahead(fail_at_5, items(), pool, 3)
        assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
        assert len(taken) <= 7
        with pytest.raises(ValueError, match="five"):
            next(results)
