"""Random numbers as a pure function of integers.

There is no generator with a state, so a resumed run draws the same numbers as an undisturbed one. A draw is identified
by a seed, a stream (what is drawn) and counters such as step, sample and view. They are hashed with the finaliser of
SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014), which works on whole
arrays and gives the same bits on every machine.
"""

import hashlib

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MASK = 2**64 - 1

Counter = int | np.ndarray


def uniform(seed: int, stream: str, *counters: Counter) -> np.ndarray:
    """Draw from [0, 1), one number per combination of counters.

    Args:
        seed: Any integer; its low 64 bits count.
        stream: What is drawn. Different streams are independent.
        counters: Integers or integer arrays, broadcast against each other.

    Returns:
        Float64 of the counters' common shape, multiples of 2**-53.

    Raises:
        TypeError: A counter does not have an integer type.
    """
    return np.asarray((_bits(seed, stream, *counters) >> np.uint64(11)) * 2.0**-53)


def integers(seed: int, stream: str, *counters: Counter, high: Counter) -> np.ndarray:
    """Draw from 0 to `high` - 1, where `high` is an integer or an array that broadcasts."""
    return np.asarray(np.floor(uniform(seed, stream, *counters) * high)).astype(np.int64)


def permutation(seed: int, stream: str, counter: int, n: int) -> np.ndarray:
    """Shuffle the numbers from 0 to `n` - 1, in one order per counter."""
    return np.argsort(_bits(seed, stream, counter, np.arange(n)), kind="stable")


def torch_seed(seed: int) -> int:
    """Bring an integer into the range of `torch.manual_seed`."""
    return seed if -(2**63) <= seed < 2**64 else seed & MASK


def _bits(seed: int, stream: str, *counters: Counter) -> np.ndarray:
    digest = hashlib.blake2b(stream.encode(), digest_size=8).digest()
    with np.errstate(over="ignore"):  # the arithmetic is modulo 2**64
        state = _mix(_word(seed) + np.uint64(int.from_bytes(digest, "little")))
        for counter in counters:
            state = _mix(state * GOLDEN + _mix(_word(counter) + GOLDEN))
    return state


def _word(counter: Counter) -> np.ndarray:
    if isinstance(counter, int):  # NumPy refuses Python integers that are negative or exceed 64 bits
        return np.asarray(counter & MASK, dtype=np.uint64)
    words = np.asarray(counter)
    if words.dtype.kind not in "iu":
        raise TypeError(f"a counter must be an integer, got {words.dtype}")
    return words.astype(np.uint64)


def _mix(state: np.ndarray) -> np.ndarray:
    """Finaliser of SplitMix64, a bijection in which each input bit affects each output bit."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
