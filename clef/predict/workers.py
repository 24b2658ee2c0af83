"""Crop the faces of many recordings at the same time."""

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

from clef.params.schema import CropParams
from clef.predict.face_cropper import FaceCropper, Job
from clef.predict.messages import Message
from clef.predict.worker_process import WorkerProcess
from clef.runtime.read_ahead import StoppedError, put

MESSAGES_AHEAD = 2  # for each worker
Result = tuple[Job, Message] | BaseException | None
"""A message, an error, or None from a worker without more jobs."""


def available_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def crop_jobs(
    jobs: Sequence[Job], settings: CropParams, start: float, end: float | None, cores: int
) -> Iterator[tuple[Job, Message]]:
    """Crop jobs with as many processes as cores, or a single job with as many threads, and yield their messages.

    Each job's messages are in order; those of several jobs mix. Jobs are begun in the given order.
    """
    results: queue.Queue[Result] = queue.Queue(MESSAGES_AHEAD * cores)
    stop, waiting, lock = threading.Event(), iter(jobs), threading.Lock()
    number = min(cores, len(jobs))
    croppers: list[FaceCropper | WorkerProcess] = []
    for _ in range(number):
        kind = FaceCropper if number == 1 else WorkerProcess
        croppers.append(kind(settings, start, end, cores // number))

    def work(cropper: FaceCropper | WorkerProcess) -> None:
        try:
            while True:
                with lock:
                    job = next(waiting, None)
                if job is None:
                    put(results, None, stop)
                    return
                cropper.crop(job, partial(_put_message, results, stop, job))
        except StoppedError:
            return
        except BaseException as error:
            with suppress(StoppedError):
                put(results, error, stop)

    threads = [threading.Thread(target=work, args=[cropper], daemon=True) for cropper in croppers]
    for thread in threads:
        thread.start()
    try:
        while number:
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                number -= 1
            else:
                yield result
    finally:
        stop.set()
        for cropper in croppers:
            cropper.close()
        for thread in threads:
            thread.join()


def _put_message(results: queue.Queue[Result], stop: threading.Event, job: Job, message: Message) -> None:
    put(results, (job, message), stop)
