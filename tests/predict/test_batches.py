import numpy as np
import pyarrow as pa
import pytest
import torch

from clef.predict.batches import predict_messages
from clef.predict.face_cropper import Job
from clef.predict.messages import FACES, Message
from clef.trained.load import load_model


def crop(seed):
    """A coarse pattern of random colours."""
    return np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)


def rows(*seeds):
    """A message with a crop for each seed, or a frame without a face for None."""
    crops = [None if seed is None else crop(seed).tobytes() for seed in seeds]
    plain = [{"sequence": "a.mp4", "frame": n, "status": "detected", "crop": crop} for n, crop in enumerate(crops)]
    return Message("rows", pa.RecordBatch.from_pylist(plain, schema=FACES))


def test_every_batch_has_one_size_and_values_reach_their_rows(whole_image_model):
    model = load_model(whole_image_model, device="cpu")
    sentences = model.encode_sentences(["a smile"])
    predict, sizes = model.predict, []

    def spied(crops, sentences):
        sizes.append(len(crops))
        return predict(crops, sentences)

    def alone(*seeds):
        images = (torch.from_numpy(crop(seed)[None]).permute(0, 3, 1, 2) for seed in seeds)
        return [np.hstack(predict(image, sentences))[0] for image in images]

    model.predict = spied
    first, second = Job([]), Job([])
    messages = [
        (first, rows(*range(20))),  # when all are void, 16 have values and 4 wait for a batch to fill
        (second, rows(200, None)),
        (first, Message("read", frames=3)),
        (first, Message("restart")),
        (first, rows(*range(100, 119))),
        (second, Message("end")),
        (first, rows(None, None, 119)),
        (first, Message("end")),
    ]
    found = list(predict_messages(model, sentences, messages))
    assert [(job is first, message.event, len(values)) for job, message, values in found] == [
        *[(True, "read", 0), (True, "restart", 0), (False, "rows", 1), (False, "end", 0)],
        *[(True, "rows", 19), (True, "rows", 1), (True, "end", 0)],
    ]
    assert sizes == [16] * 4
    expected = alone(200, *range(100, 120))
    assert np.ptp(expected, axis=0).min() > 1e-4, "crops differ, so swapped values are seen"
    np.testing.assert_allclose(np.vstack([values for _, _, values in found]), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("remainder", [0, 4])
def test_rows_after_a_restart_are_those_without_it(whole_image_model, remainder):
    model = load_model(whole_image_model, device="cpu")
    job = Job([])
    after = [(job, rows(*range(100, 105))), (job, Message("end"))]
    void = [(job, rows(*range(16 + remainder))), (job, Message("restart"))]
    (_, _, expected), *_ = predict_messages(model, None, after)
    *_, (_, message, values), _ = predict_messages(model, None, void + after)
    assert message.event == "rows"
    np.testing.assert_array_equal(values, expected)
