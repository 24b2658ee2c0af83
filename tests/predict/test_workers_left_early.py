import threading

from clef.params.schema import CropParams
from clef.predict import workers
from clef.predict.face_cropper import FaceCropper, Job
from clef.predict.messages import Message


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
