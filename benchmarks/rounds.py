"""Time calls that take turns, so that whatever else the machine does affects all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch


def take_turns(calls: Mapping[str, Callable[[], object]], rounds: int, warm_up: bool = True) -> dict[str, list[float]]:
    """Return the seconds of each call in each round, if asked for after a round that warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + warm_up):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - began)
    return {name: measured[-rounds:] for name, measured in seconds.items()}


def medians(measured: Mapping[str, list[float]]) -> dict[str, dict[str, Any]]:
    """Return the median of each call, and all of its rounds."""
    return {
        name: {"median": round(statistics.median(each), 2), "rounds": [round(one, 2) for one in each]}
        for name, each in measured.items()
    }


def per_second(seconds: Mapping[str, list[float]], items: int) -> dict[str, dict[str, Any]]:
    """Turn the seconds for some items into items a second: the median, and all rounds."""
    return medians({name: [items / one for one in measured] for name, measured in seconds.items()})


def ratio(seconds: Mapping[str, list[float]], fast: str, slow: str) -> float:
    """How many times faster one call is than another, by their medians."""
    return round(statistics.median(seconds[slow]) / statistics.median(seconds[fast]), 2)
