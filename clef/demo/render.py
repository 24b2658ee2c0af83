"""Write a whole demo set, videos or stills, and finally the list of its files."""

import hashlib
import json
import multiprocessing
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from clef.demo.clip import Clip, render_clip
from clef.demo.ownership import RECORD, prepare_folder
from clef.demo.stills import Still, plan_stills, render_still, stills_csv
from clef.params.schema import RenderParams
from clef.runtime.files import write_text

FORMAT = 1
"""Raise this when the same settings give different files."""
STILLS_PER_TASK = 25
TABLE = "labels.csv"

_interrupted = threading.Event()


def render_demo(
    settings: RenderParams, root: Path, workers: int, progress: Callable[[int, int], None] | None = None
) -> int:
    """Write the set below `root`. The same settings give the same bytes for any number of worker processes.

    `render.json`, with the settings and the SHA-256 of every file, is written last: if it exists, the set is complete.
    Files of earlier renderings that do not belong to this one are removed, and no other files.

    `progress` is called with the number of finished videos or images, and of all.

    Returns:
        Number of files in the set.

    Raises:
        ClefError: The folder is a link, or holds files that were not rendered.
    """
    root = Path(root)
    if settings.kind == "videos":
        clips = [Clip(settings, s, a) for s in range(settings.subjects) for a in range(settings.activities)]
        prepare_folder(root, {path for clip in clips for path in (clip.video, clip.labels)})
        # A task is one person, who is painted once for all activities.
        written = _run_tasks(partial(render_clip, root=root), clips, workers, settings.activities, progress)
    else:
        stills = plan_stills(settings)
        prepare_folder(root, {TABLE, *(still.path for still in stills)})
        written = _run_tasks(partial(render_still, root=root), stills, workers, STILLS_PER_TASK, progress)
        write_text(root / TABLE, stills_csv(stills))
        written.append(TABLE)
    record = {
        "format": FORMAT,
        "settings": settings.model_dump(mode="json"),
        "files": {path: hashlib.sha256((root / path).read_bytes()).hexdigest() for path in sorted(written)},
    }
    write_text(root / RECORD, json.dumps(record, indent=1) + "\n")
    return len(written)


def _run_tasks(
    render: Callable[[Any], list[str]],
    items: Sequence[Clip | Still],
    workers: int,
    items_per_task: int,
    progress: Callable[[int, int], None] | None,
) -> list[str]:
    written: list[str] = []
    # Spawned, not forked, because the caller may have threads or a CUDA context.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, workers), context, initializer=_prepare_worker) as pool:
        tasks = pool.map(partial(_render_unless_interrupted, render), items, chunksize=items_per_task)
        for done, paths in enumerate(tasks, start=1):
            written += paths
            if progress is not None:
                progress(done, len(items))
    return written


def _prepare_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches every process of the terminal: a worker finishes its item and draws no other.
    signal.signal(signal.SIGINT, lambda *_: _interrupted.set())


def _render_unless_interrupted(render: Callable[[Any], list[str]], item: Any) -> list[str]:
    if _interrupted.is_set():
        raise KeyboardInterrupt
    return render(item)
