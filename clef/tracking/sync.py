"""Bring MLflow what it lacks of finished and interrupted runs, from the files of `results/`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clef.errors import ClefError
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


def sync(results: Path, runs: list[str]) -> Iterator[Synced]:
    """Bring over the runs of a results folder, one after the other.

    Args:
        results: The folder.
        runs: Names; all that have a record if empty.

    Raises:
        ClefError: A run has no record, or the store does not answer.
    """
    names = runs or sorted(path.name for path in results.iterdir() if path.is_dir() and records_below(path))
    for name in names:
        if not records_below(results / name):
            raise ClefError(f"{results / name}: no records of trainings there; train the run first, or check its name")
    store = Store(results.absolute().parent)
    store.require()
    for name in names:
        done = Synced(name)
        for path in records_below(results / name):
            view = View(store, path)
            try:
                view.agree()
            except Exception as error:
                raise ClefError(
                    f"{store.uri}: {brief(error)}; at {path}: say `clef track sync {name}` again"
                ) from error
            done.complete += view.already_complete
            done.values += view.sent_now
            if path.name == RUN_RECORD:
                done.summarized = True
            else:
                done.trainings += 1
        yield done
