import threading

import pytest

from clef.params.schema import CropParams
from clef.predict import workers
from clef.predict.face_cropper import FaceCropper, Job
from clef.predict.messages import Message
from clef.predict.read_ahead import read_ahead


def test_an_error_that_nobody_waits_for_does_not_keep_the_thread():
    failing = threading.Event()

    def items():
        yield from (0, 1)
        failing.set()
        raise ValueError

    reader = read_ahead(items(), 1)
    assert next(reader) == 0
    assert failing.wait(60)
    closing = threading.Thread(target=reader.close, daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()


def test_errors_are_raised_in_order():
    def items():
        yield 0
        raise ValueError("one")

    reader = read_ahead(items(), 3)
    assert next(reader) == 0
    with pytest.raises(ValueError, match="one"):
        next(reader)


class FailsWhenClosed(FaceCropper):
    """As a cropper whose files vanish while it is closed."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.closed = threading.Event()

    def crop(self, job, emit):
        emit(Message("read"))
        assert self.closed.wait(60)
        raise ValueError

    def close(self):
        self.closed.set()
        super().close()


def test_an_error_of_a_stopped_worker_is_not_raised_in_its_thread(monkeypatch):
    raised = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    monkeypatch.setattr(workers, "FaceCropper", FailsWhenClosed)
    messages = workers.crop_jobs([Job([])], CropParams(detector="none"), 0.0, None, 1)
    assert next(messages)[1].event == "read"
    messages.close()
    assert raised == []
