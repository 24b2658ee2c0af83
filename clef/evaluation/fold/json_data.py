"""Convert results to JSON: rounded, with null for undefined numbers."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from clef.runtime.files import write_text


def json_data(value: Any, decimals: int) -> Any:
    """Convert arrays and NumPy numbers, also inside dicts and lists, to rounded JSON data; NaN becomes None."""
    if isinstance(value, dict):
        return {str(key): json_data(item, decimals) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_data(item, decimals) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return json_data(value.tolist(), decimals)
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, decimals) + 0.0  # + 0.0 turns -0.0 into 0.0
    return value


def write_json(target: Path | str, value: Any) -> None:
    """Write with sorted keys, so that equal results have equal bytes."""
    write_text(target, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")
