"""The order of numbered classes compared with published counts."""

import pandas as pd
import pytest

from clef.datasets import affectnet, rafdb
from clef.ingest.check_counts import count_labels
from clef.ingest.check_recordings import RawCopy
from clef.ingest.report import Report
from clef.recordings.sequence import RecordedSequence
from tests.datasets.opened import expressions

PUBLISHED = {"affectnet": affectnet.PUBLISHED_NPY, "rafdb": rafdb.RafDb.published_counts}
ALPHABETICAL = sorted(affectnet.EXPRESSIONS)


def problems(name, true_order, classes, count) -> list[str]:
    """Check a copy whose folders are numbered in the true order, while the run names `classes`."""
    dataset = expressions(name, classes, classes=list(classes))
    named = dict(zip(true_order, classes, strict=True))
    published = PUBLISHED[name].classes
    images = [
        (split, named[true])
        for split, counts in published.items()
        for true in true_order
        for _ in range(count(split, counts[true]))
    ]
    sequences = [
        RecordedSequence(name, str(row), None, None, split, "block000", "image", f"{row}.jpg", 0)
        for row, (split, _) in enumerate(images)
    ]
    rows = [(str(row), 0, expression) for row, (_, expression) in enumerate(images)]
    copy = RawCopy(dataset, None, PUBLISHED[name], Report(name, name, "raw"))
    labels = pd.DataFrame(rows, columns=["sequence", "frame", "expression"])
    count_labels(copy, sequences, labels, labels_missing=False)
    return copy.report.problems


def every_fiftieth(split: str, published: int) -> int:
    return published // 50


@pytest.mark.parametrize("order", [affectnet.EXPRESSIONS, ALPHABETICAL])
@pytest.mark.parametrize(
    "count", [every_fiftieth, lambda split, published: 40, lambda split, published: 1 + published % 7]
)
def test_the_right_order_is_accepted_also_in_copies_with_other_counts(order, count):
    assert problems("affectnet", order, order, count) == []


@pytest.mark.parametrize(
    ("true_order", "classes"), [(ALPHABETICAL, affectnet.EXPRESSIONS), (affectnet.EXPRESSIONS, ALPHABETICAL)]
)
def test_an_order_that_fits_the_published_counts_much_worse_than_another_is_refused(true_order, classes):
    (problem,) = problems("affectnet", true_order, classes, every_fiftieth)
    assert problem.startswith("dataset.options.classes: in this order, ")
    assert f"; the counts fit the order [{', '.join(true_order)}]; look at images" in problem


def test_two_swapped_classes_of_almost_one_size_are_found_in_a_complete_copy():
    swapped = ["surprise", "fear", "anger", "happiness", "sadness", "disgust", "neutral"]
    (problem,) = problems("rafdb", rafdb.EXPRESSIONS, swapped, lambda split, published: published)
    assert "anger has 877 images, published are 867; the counts fit the order [surprise, fear, disgust, hap" in problem
    assert problems("rafdb", rafdb.EXPRESSIONS, rafdb.EXPRESSIONS, lambda split, published: published) == []
