import numpy as np
import pyarrow as pa

from clef.predict.batches import predict_messages
from clef.predict.face_cropper import Job
from clef.predict.messages import FACES, Message
from clef.trained.load import load_model


def rows(*lights):
    """A message with a crop for each brightness, or a frame without a face for None."""
    crops = [None if light is None else np.full((40, 40, 3), light, np.uint8).tobytes() for light in lights]
    plain = [{"sequence": "a.mp4", "frame": n, "status": "detected", "crop": crop} for n, crop in enumerate(crops)]
    return Message("rows", pa.RecordBatch.from_pylist(plain, schema=FACES))


def test_every_batch_has_one_size_and_values_reach_their_rows(whole_image_model):
    model = load_model(whole_image_model, device="cpu")
    predict, sizes = model.predict, []

    def spied(crops, sentences):
        sizes.append(len(crops))
        return predict(crops, sentences)

    model.predict = spied
    sentences = model.encode_sentences(["a smile"])
    first, second = Job([]), Job([])
    messages = [
        (first, rows(*range(10))),
        (second, rows(200, None)),
        (first, Message("read", frames=3)),
        (first, Message("restart")),
        (first, rows(*range(100, 119))),
        (second, Message("end")),
        (first, rows(None, None)),
        (first, Message("end")),
    ]
    found = [
        (job is first, message.event, len(values))
        for job, message, values in predict_messages(model, sentences, messages)
    ]
    assert found == [
        *[(True, "read", 0), (True, "restart", 0), (False, "rows", 1), (False, "end", 0)],
        *[(True, "rows", 19), (True, "rows", 0), (True, "end", 0)],
    ]
    assert sizes == [16, 16, 16]
