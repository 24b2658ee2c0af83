"""The demo: talking-head videos drawn by `clef render-demo`, with labels in the csv format of BP4D.

videos/F001/T1.mp4
AUCoding/AU_OCC/F001_T1.csv
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clef.datasets.base import Dataset, files_except, join_labels
from clef.datasets.readers.occurrence_csv import read_occurrence_csv
from clef.demo.behaviour import ACTION_UNITS, ACTIVITIES, subject_ids
from clef.params.schema import Params, ParamsError, RenderParams
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

VIDEO = re.compile(r"videos/([FM]\d{3})/(T\d)\.mp4")
LABELS = "AUCoding/AU_OCC"


def render_params(params: Params, kind: str) -> RenderParams:
    """Return the parameters of the drawings, or raise a `ParamsError` if they are of another kind."""
    if params.render is None or params.render.kind != kind:
        raise ParamsError(f"render: the adapter {params.dataset.adapter} needs `render: {{kind: {kind}}}`")
    return params.render


class Demo(Dataset):
    """Rendered videos."""

    rendered = True
    label_names: ClassVar = [f"AU{number:02d}" for number in ACTION_UNITS]
    activities = ACTIVITIES

    def subjects(self) -> list[str]:
        return subject_ids(render_params(self.params, "videos").subjects)

    def expected_sequences(self) -> list[str]:
        activities = list(ACTIVITIES)[: render_params(self.params, "videos").activities]
        return [f"{subject}_{activity}" for subject in self.subjects() for activity in activities]

    def completion_marker(self) -> str | None:
        return "render.json"

    def sequences(self, root: Path) -> list[RecordedSequence]:
        found, subjects = [], set(self.subjects())
        sources = sorted(path.relative_to(root).as_posix() for path in root.glob("videos/*/*.mp4"))
        for match in filter(None, map(VIDEO.fullmatch, sources)):
            subject, activity = match.groups()
            if subject in subjects and activity in ACTIVITIES:
                ids = {"subject": subject, "activity": activity}
                found.append(self._recording(f"{subject}_{activity}", subject, "video", match.string, 1, **ids))
        return found

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        known = {path for s in sequences for path in (s.source, f"{LABELS}/{s.sequence}.csv")}
        return files_except(root, ("videos/*/*", f"{LABELS}/*"), known)

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        files = {sequence.sequence: root / LABELS / f"{sequence.sequence}.csv" for sequence in sequences}
        tables = {
            name: read_occurrence_csv(path, ACTION_UNITS) for name, path in files.items() if os.path.lexists(path)
        }
        return join_labels(tables, root / LABELS, "files such as F001_T1.csv")


ADAPTER = Demo
