import json

import pytest

from clef.errors import ClefError, Unfinished
from clef.runtime.lease import leased
from clef.runtime.retries import KilledError, Told, remembered


@pytest.fixture
def target(tmp_path):
    return tmp_path / "pretrain.safetensors"


def fail(target, attempt, error, key="key"):
    with pytest.raises(type(error)), remembered(target, key, attempt):
        raise error


def kept(target):
    return target.with_name("pretrain.failure.json")


def test_a_third_try_of_the_same_failure_is_refused_and_names_it(target, caplog):
    fail(target, 1, ClefError("step 7: loss is not finite"))
    assert not caplog.records
    fail(target, 2, ClefError("step 9: loss is not finite"))
    assert "failed alike 2 times; further attempts are refused" in caplog.text
    with (
        pytest.raises(ClefError, match="not tried again, since it failed 2 times with: ClefError: step 9: loss is not"),
        remembered(target, "key", 3),
    ):
        raise AssertionError("it ran")


@pytest.mark.parametrize(("key", "attempt"), [("key", 1), ("another key", 3)])
def test_whoever_starts_it_anew_or_otherwise_has_it_tried_again(target, key, attempt):
    for earlier in (1, 2):
        fail(target, earlier, ValueError("no"))
    ran = []
    with remembered(target, key, attempt):
        ran.append(True)
    assert ran
    assert not kept(target).exists()


def test_other_failures_are_not_counted_together(target):
    fail(target, 1, ValueError("one"))
    fail(target, 2, OSError("another"))
    fail(target, 3, ValueError("one"))


@pytest.mark.parametrize("stop", [Unfinished("time is up"), KeyboardInterrupt(), KilledError("SIGKILL"), Told(75)])
def test_an_interruption_is_no_failure(target, stop):
    for attempt in range(1, 6):
        fail(target, attempt, stop)
    assert not kept(target).exists()


def test_what_another_process_failed_of_is_remembered_and_its_success_forgets(target):
    fail(target, 1, Told(1, "ClefError: no crops"))
    assert json.loads(kept(target).read_text())["message"] == "ClefError: no crops"
    fail(target, 2, Told(0))
    assert not kept(target).exists()


def test_that_another_process_is_at_work_is_no_failure(target):
    with leased(target):
        for attempt in range(1, 6):
            fail(target, attempt, ClefError("is already at work on it"))
    assert not kept(target).exists()


def test_a_damaged_note_is_none(target):
    kept(target).write_text("[")
    fail(target, 2, ValueError("no"))
