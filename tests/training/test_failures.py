import pytest

from clef.errors import ClefError, Unfinished
from clef.training.failures import remembered


def fail(work, attempt, error):
    with pytest.raises(type(error)), remembered(work, attempt):
        raise error


def test_a_third_try_of_the_same_failure_is_refused_and_names_it(tmp_path):
    fail(tmp_path, 1, ClefError("step 7: loss is not finite"))
    fail(tmp_path, 2, ClefError("step 9: loss is not finite"))
    with (
        pytest.raises(ClefError, match="not tried again, since it failed 2 times with: ClefError: step 9: loss is not"),
        remembered(tmp_path, 3),
    ):
        raise AssertionError("it ran")


def test_whoever_starts_it_anew_has_it_tried_again(tmp_path):
    for attempt in (1, 2):
        fail(tmp_path, attempt, ValueError("no"))
    ran = []
    with remembered(tmp_path, 1):
        ran.append(True)
    assert ran


def test_other_failures_are_not_counted_together(tmp_path):
    fail(tmp_path, 1, ValueError("one"))
    fail(tmp_path, 2, OSError("another"))
    fail(tmp_path, 3, ValueError("one"))


@pytest.mark.parametrize("stop", [Unfinished("time is up"), KeyboardInterrupt()])
def test_an_interruption_is_no_failure(tmp_path, stop):
    for attempt in range(1, 6):
        fail(tmp_path, attempt, stop)
    assert not (tmp_path / "failure.json").exists()


def test_a_damaged_note_is_none(tmp_path):
    (tmp_path / "failure.json").write_text("[")
    fail(tmp_path, 2, ValueError("no"))
