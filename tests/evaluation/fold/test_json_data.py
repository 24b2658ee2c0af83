import numpy as np

from clef.evaluation.fold.json_data import json_data


def test_numpy_values_and_nan_are_converted():
    value = {"a": np.float32(0.1), 2: [np.int64(3), float("nan")], "b": np.array([[0.123456, -1e-9]]), "c": None}
    assert json_data(value, 4) == {"a": 0.1, "2": [3, None], "b": [[0.1235, 0.0]], "c": None}
    assert str(json_data(-1e-9, 4)) == "0.0"
    assert json_data(True, 2) is True
