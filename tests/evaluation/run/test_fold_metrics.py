import pytest

from clef.errors import ClefError
from clef.evaluation.run.fold_metrics import cross_validation

OTHER_FRAMES = "fold 0 was tested on other subjects or frames with seed 1"


def test_metrics_are_sorted_by_seed_and_fold(metrics):
    grid = cross_validation(metrics[::-1])
    assert [(seed, list(folds)) for seed, folds in grid.items()] == [(0, [0, 1]), (1, [0, 1]), (2, [0, 1])]
    assert grid[1][0] is metrics[2]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: m.clear(), "no metrics given"),
        (lambda m: m.append(m[1]), "seed 0 fold 1 is given twice"),
        (lambda m: m.pop(), r"seed 2 has folds \[0\], seed 0 has \[0, 1\]"),
        (lambda m: m[2].update(labels=["AU01"]), "has labels"),
        (lambda m: m[2].update(threshold=0.4), "has threshold 0.4"),
        (lambda m: m[2].update(subjects=["F001"]), OTHER_FRAMES),
        (lambda m: m[2]["rows"]["AU06"].update(positives=1), OTHER_FRAMES),
        (lambda m: [one["subjects"].append("M001") for one in m[::2]], "M001 is tested in folds 0 and 1"),
    ],
)
def test_metrics_that_do_not_belong_together_are_refused(metrics, spoil, message):
    spoil(metrics)
    with pytest.raises(ClefError, match=message):
        cross_validation(metrics)
