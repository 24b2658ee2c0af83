import pytest

from clef.params.did_you_mean import suggestion


@pytest.mark.parametrize(
    ("wrong", "known", "expected"),
    [
        ("dmeo", ["bp4d", "demo", "demo-linear"], "did you mean demo?"),
        ("nowhere", ["bp4d", "demo"], "expected one of bp4d, demo"),
        ("nowhere", [], "expected a params file"),
        ("F01", iter(["F001", "M001"]), "did you mean F001?"),
    ],
)
def test_the_nearest_name_or_all_names_are_suggested(wrong, known, expected):
    assert suggestion(wrong, known, "a params file") == expected
