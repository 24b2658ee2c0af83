"""Predict crops in batches of one size, which are filled across recordings."""

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from clef.predict.face_cropper import Job
from clef.predict.messages import Message
from clef.trained.trained_model import TrainedModel

BATCH = {"cpu": 16, "cuda": 256}
"""Rounding depends on the size of a batch, so the last one is filled up: rows do not depend on other recordings."""


def predict_messages(
    model: TrainedModel, sentences: torch.Tensor | None, messages: Iterable[tuple[Job, Message]]
) -> Iterator[tuple[Job, Message, np.ndarray]]:
    """Yield messages with the probabilities and cosines of their crops, float32 (crops, labels and sentences).

    Messages stay in order, except that those without rows to wait for, of the event `read`, are passed on at once.
    """
    waiting: deque[tuple[Job, Message, int]] = deque()
    crops: list[np.ndarray] = []
    values: list[np.ndarray] = []
    size, side = BATCH[model.device.type], model.config.crop["size"]
    width = len(model.config.labels.names) + (0 if sentences is None else sentences.shape[1])
    nothing = np.empty((0, width), np.float32)
    for job, message in messages:
        if message.event == "read":
            yield job, message, nothing
            continue
        own = [
            np.frombuffer(crop.as_buffer(), np.uint8).reshape(side, side, 3)
            for crop in message.rows["crop"].drop_null()
        ]
        waiting.append((job, message, len(own)))
        crops += own
        while len(crops) >= size:
            values.extend(_predict(model, sentences, crops[:size], size))
            del crops[:size]
        yield from _complete(waiting, values, nothing)
    if crops:
        values.extend(_predict(model, sentences, crops, size)[: len(crops)])
    yield from _complete(waiting, values, nothing)


def _predict(model: TrainedModel, sentences: torch.Tensor | None, crops: list[np.ndarray], size: int) -> np.ndarray:
    images = np.stack([*crops, *[crops[-1]] * (size - len(crops))])
    probabilities, cosines = model.predict(torch.from_numpy(images).permute(0, 3, 1, 2), sentences)
    return probabilities if cosines is None else np.hstack([probabilities, cosines])


def _complete(
    waiting: deque[tuple[Job, Message, int]], values: list[np.ndarray], nothing: np.ndarray
) -> Iterator[tuple[Job, Message, np.ndarray]]:
    """Take the messages off the queue whose crops are all predicted."""
    while waiting and waiting[0][2] <= len(values):
        job, message, count = waiting.popleft()
        yield job, message, np.array(values[:count]) if count else nothing
        del values[:count]
