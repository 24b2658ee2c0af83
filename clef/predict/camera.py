"""Predict the newest frame of a webcam, over and over."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import cv2
import numpy as np
import pyarrow as pa
import torch

from clef.errors import ClefError
from clef.faces.crop import crop_row
from clef.faces.detectors import build_detector
from clef.faces.face_track import TrackedFrame
from clef.faces.search import search_frames
from clef.faces.shard import decode_crop
from clef.faces.tracks import Tracks
from clef.params.schema import CropParams
from clef.predict.messages import FACES
from clef.predict.table import Layout
from clef.recordings.frames import Frame
from clef.trained.trained_model import TrainedModel


class Camera(Protocol):
    """What `cv2.VideoCapture` offers."""

    def read(self) -> tuple[bool, np.ndarray]:
        """Wait for the next image, BGR uint8; False if there is none."""


def open_camera(number: int) -> Camera:
    """Open a webcam; raise a ClefError if there is none."""
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        camera = cv2.VideoCapture(number)
    finally:
        cv2.utils.logging.setLogLevel(before)
    if not camera.isOpened():
        raise ClefError(f"webcam {number}: cannot be opened; is it connected, and free? Files are given by their names")
    return camera


def newest_frames(camera: Camera, stop: threading.Event) -> Iterator[Frame]:
    """Yield frames as the reader asks for them, always the newest one; those in between are dropped.

    A thread reads the camera, so nothing waits in its buffers. Frames are numbered as they are read, so gaps show what
    was dropped, and have times since the first one.
    """
    newest: list[Frame] = []
    changed = threading.Condition()
    ended = threading.Event()

    def read() -> None:
        began, number = None, 0
        while not stop.is_set():
            is_read, image = camera.read()
            now = time.monotonic()
            began = began or now
            with changed:
                if is_read:
                    newest[:] = [Frame(number, cv2.cvtColor(image, cv2.COLOR_BGR2RGB), time=now - began)]
                    number += 1
                else:
                    ended.set()
                changed.notify()
            if ended.is_set():
                return

    thread = threading.Thread(target=read, name="camera", daemon=True)
    thread.start()
    while True:
        with changed:
            changed.wait_for(lambda: newest or ended.is_set() or stop.is_set(), timeout=1)
            if stop.is_set() or (ended.is_set() and not newest):
                return
            frame = newest.pop() if newest else None
        if frame is not None:
            yield frame


def predict_camera(
    model: TrainedModel,
    layout: Layout,
    sentences: torch.Tensor | None,
    settings: CropParams,
    frames: Iterator[Frame],
    name: str,
) -> Iterator[pa.RecordBatch]:
    """Predict all faces of each frame. People have numbers in the order in which they appear."""
    detector, tracks = build_detector(settings), Tracks()
    at_once = settings.model_copy(update={"batch": 1, "every": 1})
    for searched in search_frames(frames, detector, at_once):
        frame = searched.frame
        tracks.add(searched)
        faces = {number: track[-1] for number, track in enumerate(tracks.tracks) if track.numbers[-1] == frame.number}
        rows, crops = [], []
        for number, face in faces.items():
            row = crop_row(name, TrackedFrame(frame, "detected", face, len(faces)), settings)
            crop = decode_crop(row["crop"])
            assert crop is not None, "encoded just now"
            crops.append(crop)
            rows.append({**row, "face": number})
        if not rows:
            rows = [crop_row(name, TrackedFrame(frame, "no_face", faces=0), settings)]
        values = np.empty((0, len(layout.labels) + len(layout.asked)), np.float32)
        if crops:
            images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
            values = np.hstack([found for found in model.predict(images, sentences) if found is not None])
        yield layout.rows(pa.RecordBatch.from_pylist(rows, schema=FACES), values)


@contextmanager
def stopped_by_interrupt() -> Iterator[threading.Event]:
    """Yield an event that ctrl-C sets, instead of raising KeyboardInterrupt in the middle of a row."""
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
