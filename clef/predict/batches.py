"""Predict crops in batches of one size.

Rounding depends on the size of a batch and on a crop's place in it. Batches therefore hold the crops of one job in
order, and the last one is filled up, so that rows do not depend on other jobs and on what was finished before a resume.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import torch

from clef.predict.face_cropper import Job
from clef.predict.messages import Message
from clef.trained.trained_model import TrainedModel

BATCH = {"cpu": 16, "cuda": 64}


def predict_messages(
    model: TrainedModel, sentences: torch.Tensor | None, messages: Iterable[tuple[Job, Message]]
) -> Iterator[tuple[Job, Message, np.ndarray]]:
    """Yield messages with the probabilities and cosines of their crops, float32 (crops, labels and sentences).

    Rows of a job stay in order. Messages without rows are passed on at once.
    """
    waiting: dict[int, _Waiting] = {}
    for job, message in messages:
        own = waiting.setdefault(id(job), _Waiting(model, sentences))
        if message.event == "rows":
            own.add(message.rows["crop"].drop_null())
            own.messages.append(message)
        elif message.event == "restart":
            own.clear()
        elif message.event == "end":
            own.flush()
            del waiting[id(job)]
        for ready, values in own.take():
            yield job, ready, values
        if message.event != "rows":
            yield job, message, own.nothing


class _Waiting:
    """Rows of a job whose crops wait for a batch to fill."""

    def __init__(self, model: TrainedModel, sentences: torch.Tensor | None) -> None:
        self.messages: deque[Message] = deque()
        self._model, self._sentences = model, sentences
        self._crops: list[np.ndarray] = []
        self._values: list[np.ndarray] = []
        width = len(model.config.labels.names) + (0 if sentences is None else sentences.shape[1])
        self.nothing = np.empty((0, width), np.float32)

    def add(self, crops: pa.Array) -> None:
        """Add crops, and predict those that fill a batch."""
        side, size = self._model.config.crop["size"], BATCH[self._model.device.type]
        for crop in crops:
            self._crops.append(np.frombuffer(crop.as_buffer(), np.uint8).reshape(side, side, 3))
            if len(self._crops) == size:
                self.flush()

    def flush(self) -> None:
        """Predict all crops, fewer than a batch or just as many."""
        if not self._crops:
            return
        filling = [self._crops[-1]] * (BATCH[self._model.device.type] - len(self._crops))
        images = torch.from_numpy(np.stack(self._crops + filling)).permute(0, 3, 1, 2)
        probabilities, cosines = self._model.predict(images, self._sentences)
        values = probabilities if cosines is None else np.hstack([probabilities, cosines])
        self._values.extend(values[: len(self._crops)])
        self._crops.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.messages.clear()
        self._crops.clear()
        self._values.clear()

    def take(self) -> Iterator[tuple[Message, np.ndarray]]:
        """Yield the messages whose crops are all predicted."""
        while self.messages:
            count = len(self.messages[0].rows) - self.messages[0].rows["crop"].null_count
            if count > len(self._values):
                return
            values = np.array(self._values[:count]) if count else self.nothing
            del self._values[:count]
            yield self.messages.popleft(), values
