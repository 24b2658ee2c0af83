import pytest

from clef.errors import ClefError
from clef.evaluation.fold.score_fold import score_fold
from clef.evaluation.run.cross_validation import cross_validation
from clef.params.schema import EvaluateParams

FOLDS = [(("F001", "F002"), ("M001", "M002")), (("M001", "M002"), ("F001", "F002"))]


@pytest.fixture
def metrics(action_unit_tables):
    return [
        score_fold(*action_unit_tables(seed, *FOLDS[fold]).parts(), EvaluateParams()) | {"seed": seed, "fold": fold}
        for seed in (0, 1)
        for fold in (1, 0)
    ]


def test_any_order_is_sorted(metrics):
    grid = cross_validation(metrics[::-1])
    assert [(seed, list(folds)) for seed, folds in grid.items()] == [(0, [0, 1]), (1, [0, 1])]
    assert grid[1][0] is metrics[3]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: m.clear(), "no metrics given"),
        (lambda m: m.append(m[0]), "seed 0 fold 1 is given twice"),
        (lambda m: m.pop(), r"seed 1 has folds \[1\], seed 0 has \[0, 1\]"),
        (lambda m: m[2].update(labels=["AU01"]), "has labels"),
        (lambda m: m[2].update(threshold=0.4), "has threshold 0.4"),
        (
            lambda m: m[2].update(subjects=["F001"]),
            "fold 1 was tested on other subjects or frames with seed 1",
        ),
        (lambda m: m[2]["rows"]["AU06"].update(positives=1), "fold 1 was tested on other subjects or frames"),
        (
            lambda m: [one["subjects"].append("M001") for one in m if one["fold"] == 0],
            "M001 is tested in folds 0 and 1",
        ),
    ],
)
def test_metrics_that_are_no_cross_validation_are_refused(metrics, spoil, message):
    spoil(metrics)
    with pytest.raises(ClefError, match=message):
        cross_validation(metrics)
