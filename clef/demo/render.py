"""Write a whole demo set, videos or stills, and finally the list of its files."""

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2

from clef.demo.behaviour import VERSION
from clef.demo.clip import Clip, plan_clips
from clef.demo.overwrite_guard import RECORD, prepare_folder
from clef.demo.stills import Still, plan_stills, stills_csv
from clef.params.schema import RenderParams
from clef.runtime.files import write_text

STILLS_PER_TASK = 25
TABLE = "labels.csv"

_interrupted = threading.Event()


def render_demo(
    settings: RenderParams, root: Path, workers: int, progress: Callable[[int, int], None] | None = None
) -> int:
    """Write the set below `root`. The same settings give the same bytes for any number of worker processes.

    `render.json`, with the settings and the SHA-256 of every file, is written last: if it exists, the set is complete.
    Files of earlier renderings that do not belong to this one are removed, and no other files. `progress` is called
    with the number of finished videos or images, and of all. Returns the number of files.

    Raises:
        ClefError: The folder is a link, or holds files that were not rendered.
    """
    root = Path(root)
    items: Sequence[Clip | Still] = plan_clips(settings)
    table, items_per_task = {}, settings.activities  # a task is one person, who is painted once for all activities
    if settings.kind == "stills":
        items = stills = plan_stills(settings)
        table, items_per_task = {TABLE: stills_csv(stills)}, STILLS_PER_TASK
    files = [*table, *(path for item in items for path in item.files)]
    prepare_folder(root, set(files))
    # Spawned, not forked, because the caller may have threads or a CUDA context.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, workers), context, initializer=_prepare_worker) as pool:
        tasks = pool.map(partial(_render_unless_interrupted, root=root), items, chunksize=items_per_task)
        for done, _ in enumerate(tasks, start=1):
            if progress is not None:
                progress(done, len(items))
    for path, text in table.items():
        write_text(root / path, text)
    record = {
        "version": VERSION,
        "settings": settings.model_dump(mode="json"),
        "files": {path: hashlib.sha256((root / path).read_bytes()).hexdigest() for path in sorted(files)},
    }
    write_text(root / RECORD, json.dumps(record, indent=1) + "\n")
    return len(files)


def _prepare_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches every process of the terminal: a worker finishes its item and draws no other.
    signal.signal(signal.SIGINT, lambda *_: _interrupted.set())
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker if its parent was killed, since it would wait for its next task forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "only workers call this"
    parent.join()
    os._exit(1)


def _render_unless_interrupted(item: Clip | Still, root: Path) -> None:
    if _interrupted.is_set():
        raise KeyboardInterrupt
    item.render(root)
