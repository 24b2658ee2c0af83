"""Bring MLflow what it lacks of finished and interrupted runs, from the files of `results/`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clef.errors import ClefError
from clef.tracking.place import shown_uri
from clef.tracking.record import RUN_RECORD, records_below
from clef.tracking.store import Store, brief
from clef.tracking.view import View


@dataclass
class Synced:
    """What was done for one run."""

    run: str
    trainings: int = 0
    complete: int = 0
    """Records of which MLflow had everything."""
    values: int = 0
    """Points of curves and results that were new."""
    summarized: bool = False
    failure: str | None = None
    """The first record that MLflow did not take, and why."""


def sync(results: Path, runs: list[str], tell: Callable[[int, int], None] | None = None) -> Iterator[Synced]:
    """Bring over the runs of a results folder, one after the other. One that fails does not keep back the next.

    Args:
        results: The folder.
        runs: Names; all that have a record if empty.
        tell: Called with records done and records in all.

    Raises:
        ClefError: A run has no record, the store does not answer, or, at the end, something was not brought over.
    """
    records = {name: records_below(results / name) for name in runs or _names(results)}
    for name, found in records.items():
        if not found:
            raise ClefError(f"{results / name}: no records of trainings there; train the run first, or check its name")
    if not records:
        return
    store = Store(results.absolute().parent)
    store.require()
    total, before, failed = sum(map(len, records.values())), 0, []
    for name, paths in records.items():
        done = Synced(name)
        for number, path in enumerate(paths, start=1):
            _bring(store, path, done)
            if tell is not None:
                tell(before + number, total)
        before += len(paths)
        if done.failure is not None:
            failed.append(done)
        yield done
    if failed:
        reasons = "; ".join(f"{done.run}: {done.failure}" for done in failed)
        raise ClefError(
            f"{shown_uri(store.uri)} did not take all of {len(failed)} of {len(records)} runs: {reasons}; "
            f"mend that and say `clef track sync {' '.join(done.run for done in failed)}`"
        )


def _names(results: Path) -> list[str]:
    """The runs that have a record."""
    folders = results.iterdir() if results.is_dir() else ()
    return sorted(path.name for path in folders if path.is_dir() and records_below(path))


def _bring(store: Store, path: Path, done: Synced) -> None:
    """Bring over one record."""
    view = View(store, path)
    try:
        view.agree()
    except Exception as error:  # anything at all: a server may answer anything, a file be anything
        done.failure = done.failure or f"{brief(error)} at {path}"
    done.complete += view.already_complete
    done.values += view.sent_now
    if path.name == RUN_RECORD:
        done.summarized = True
    else:
        done.trainings += 1
