import pytest

from clef.errors import ClefError, KilledError, Unfinished
from clef.runtime.retries import limit_retries
from tests.leases import hold_elsewhere


@pytest.fixture
def target(tmp_path):
    return tmp_path / "pretrain.safetensors"


def fail(target, attempt, error, key="key"):
    with pytest.raises(type(error)), limit_retries(target, key, attempt):
        raise error


def record(target):
    return target.with_name("pretrain.failure.json")


def test_third_attempt_with_the_same_error_is_refused(target, caplog):
    fail(target, 1, ClefError("step 7: loss is not finite"))
    assert not caplog.records
    fail(target, 2, ClefError("step 9: loss is not finite"))
    assert "failed 2 times with the same error; further retries are refused" in caplog.text
    message = "not retried, because it failed 2 times with the same error: ClefError: step 9: loss is not finite"
    with pytest.raises(ClefError, match=message), limit_retries(target, "key", 3):
        raise AssertionError("it ran")


@pytest.mark.parametrize(("key", "attempt"), [("key", 1), ("other settings", 3)])
def test_first_attempt_and_other_settings_are_not_refused(target, key, attempt):
    for earlier in (1, 2):
        fail(target, earlier, ValueError("no"))
    ran = []
    with limit_retries(target, key, attempt):
        ran.append(True)
    assert ran
    assert not record(target).exists()


def test_different_errors_are_not_counted_together(target):
    fail(target, 1, ValueError("one"))
    fail(target, 2, OSError("another"))
    fail(target, 3, ValueError("one"))


@pytest.mark.parametrize("error", [Unfinished("time is up"), KeyboardInterrupt(), KilledError("SIGKILL")], ids=repr)
def test_interruptions_are_not_counted(target, error):
    for attempt in range(1, 6):
        fail(target, attempt, error)
    assert not record(target).exists()


def test_lease_that_another_process_holds_is_not_counted(target):
    hold_elsewhere(target)
    for attempt in range(1, 6):
        fail(target, attempt, ClefError("is already working on it"))
    assert not record(target).exists()


def test_damaged_record_is_ignored(target):
    record(target).write_text("[")
    fail(target, 2, ValueError("no"))
