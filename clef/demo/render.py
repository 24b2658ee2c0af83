"""Write a whole demo set, videos or stills, and last of all the list of what was written."""

import hashlib
import json
import multiprocessing
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2

from clef.demo.clip import Clip, render_clip
from clef.demo.ownership import RECORD, prepare_folder
from clef.demo.stills import Still, plan_stills, render_still, stills_csv
from clef.params.schema import RenderParams
from clef.runtime.files import write_text

FORMAT = 1
"""Raised when the same settings come to give other files."""
STILLS_A_TASK = 25
TABLE = "labels.csv"

Progress = Callable[[int, int], None]
Piece = TypeVar("Piece", Clip, Still)

_stopped = threading.Event()


def render_demo(settings: RenderParams, root: Path, workers: int, progress: Progress | None = None) -> int:
    """Write the set below `root`; the same settings give the same bytes, whatever the number of workers.

    `render.json`, with the settings and the SHA-256 of every file, is written last: where it is, the set is
    whole. What an earlier rendering left and this one does not write is removed, and nothing else.

    Args:
        settings: What to draw.
        root: Folder of the set: new, empty, or filled by an earlier rendering, whole or not.
        workers: Processes that draw.
        progress: Called with the number of videos or images that are done, and of all.

    Returns:
        Number of files that make up the set.

    Raises:
        ClefError: The folder holds what no rendering wrote, or is a link.
    """
    root = Path(root)
    planned = _planned(settings)
    prepare_folder(root, planned)
    if settings.kind == "videos":
        # A chunk is one person, who is painted once and then filmed in every activity.
        written = _in_processes(
            partial(render_clip, root=root), _clips(settings), workers, settings.activities, progress
        )
    else:
        stills = plan_stills(settings)
        written = _in_processes(partial(render_still, root=root), stills, workers, STILLS_A_TASK, progress)
        write_text(root / TABLE, stills_csv(stills))
        written.append(TABLE)
    record = {
        "format": FORMAT,
        "settings": settings.model_dump(mode="json"),
        "files": {path: hashlib.sha256((root / path).read_bytes()).hexdigest() for path in sorted(written)},
    }
    write_text(root / RECORD, json.dumps(record, indent=1) + "\n")
    return len(written)


def _clips(settings: RenderParams) -> list[Clip]:
    return [Clip(settings, s, a) for s in range(settings.subjects) for a in range(settings.activities)]


def _planned(settings: RenderParams) -> set[str]:
    """Every file of the set, relative to its folder."""
    if settings.kind == "videos":
        return {path for clip in _clips(settings) for path in (clip.video, clip.labels)}
    return {TABLE, *(still.path for still in plan_stills(settings))}


def _in_processes(
    render: Callable[[Piece], list[str]],
    pieces: Sequence[Piece],
    workers: int,
    chunk: int,
    progress: Progress | None,
) -> list[str]:
    written: list[str] = []
    # Spawned, not forked: the caller may hold threads or a CUDA context.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, workers), context, initializer=_prepare_worker) as pool:
        for done, paths in enumerate(pool.map(partial(_in_worker, render), pieces, chunksize=chunk), start=1):
            written += paths
            if progress is not None:
                progress(done, len(pieces))
    return written


def _prepare_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches every process of the terminal: a worker ends its piece and draws no other.
    signal.signal(signal.SIGINT, lambda *_: _stopped.set())


def _in_worker(render: Callable[[Piece], list[str]], piece: Piece) -> list[str]:
    if _stopped.is_set():
        raise KeyboardInterrupt
    return render(piece)
