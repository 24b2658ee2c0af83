"""Results as plain data: rounded the same way everywhere, with null for what is not defined."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from clef.runtime.files import write_text


def plain(value: Any, decimals: int) -> Any:
    """Turn arrays and NumPy numbers, also inside dicts and lists, into what JSON knows.

    Floats are rounded to so many decimals; NaN becomes None.
    """
    if isinstance(value, dict):
        return {str(key): plain(item, decimals) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, decimals) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), decimals)
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, decimals) + 0.0
    return value


def write_json(target: Path | str, value: Any) -> None:
    """Write plain data with sorted keys, so that equal results have equal bytes."""
    write_text(target, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")
