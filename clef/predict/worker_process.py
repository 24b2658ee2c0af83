"""A process that crops faces: jobs as lines of JSON on its standard input, messages as Arrow streams on its output.

Processes of the multiprocessing module import the user's script again, so scripts without a main guard cannot start
them, and forking is unsafe after torch computed something.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from clef.params.schema import CropParams
from clef.predict.face_cropper import FaceCropper, Job
from clef.predict.messages import FACES, Emit, Message
from clef.recordings.sequence import RecordedSequence

ROOT = Path(__file__).resolve().parents[2]


class WorkerProcess:
    """Crops like `FaceCropper`, in a process of its own. A job that ends the process only loses its own files."""

    def __init__(self, settings: CropParams, start: float, end: float | None, threads: int) -> None:
        self._options = {"settings": settings.model_dump(mode="json"), "start": start, "end": end, "threads": threads}
        self._process: subprocess.Popen[bytes] | None = None

    def crop(self, job: Job, emit: Emit) -> None:
        """See `FaceCropper.crop`."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        finished = False
        try:
            self._send(process.stdin, job.to_plain())
            with pa.ipc.open_stream(process.stdout) as stream:
                for rows, metadata in stream.iter_batches_with_custom_metadata():
                    message = Message.parse(rows, metadata)
                    emit(message)
                    finished = message.event == "end"
            if finished:
                return
        except (pa.ArrowInvalid, OSError):
            pass
        self.close()
        name = job.recordings[0].sequence
        problem = f"the process that read it ended with code {process.returncode}; is it damaged, or memory short?"
        emit(Message("restart"))
        emit(Message("end", problems=[(name, problem)]))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> "subprocess.Popen[bytes]":
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert process.stdin is not None
        self._send(process.stdin, self._options)
        return process

    def _send(self, pipe: IO[bytes], values: Any) -> None:
        pipe.write(json.dumps(values).encode() + b"\n")
        pipe.flush()


def _serve() -> None:
    """Crop the jobs that arrive, until the other process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a whole terminal; the other process ends this one
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries that print must not disturb the stream
    options = json.loads(sys.stdin.readline())
    cropper = FaceCropper(**{**options, "settings": CropParams(**options["settings"])})
    for line in sys.stdin:
        job = Job([RecordedSequence(**recording) for recording in json.loads(line)])
        with pa.ipc.new_stream(output, FACES) as stream:
            cropper.crop(job, lambda message: stream.write_batch(message.rows, custom_metadata=message.metadata()))
        output.flush()


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        _serve()
