"""The demo: talking-head videos that `clef render-demo` draws, labelled in BP4D's csv layout.

videos/F001/T1.mp4
AUCoding/AU_OCC/F001_T1.csv
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clef.datasets.base import Dataset, unexpected_files
from clef.datasets.readers.occurrence_csv import read_occurrence_csv
from clef.demo.behaviour import ACTION_UNITS, ACTIVITIES, subject_ids
from clef.errors import ClefError
from clef.params.schema import ParamsError, RenderParams
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

VIDEO = re.compile(r"videos/(?P<subject>[FM]\d{3})/(?P<activity>T\d)\.mp4")
LABELS = "AUCoding/AU_OCC"


class Demo(Dataset):
    """Rendered people, activities and action units."""

    label_names: ClassVar = [f"AU{number:02d}" for number in ACTION_UNITS]
    activities = ACTIVITIES

    @property
    def _render(self) -> RenderParams:
        if self.params.render is None or self.params.render.kind != "videos":
            raise ParamsError("render: the adapter demo needs `render: {kind: videos}`")
        return self.params.render

    def shards(self) -> list[str]:
        return self.subjects()

    def subjects(self) -> list[str]:
        return subject_ids(self._render.subjects)

    def expected_sequences(self) -> list[str]:
        activities = list(ACTIVITIES)[: self._render.activities]
        return [f"{subject}_{activity}" for subject in self.subjects() for activity in activities]

    def completion_marker(self) -> str | None:
        return "render.json"

    def sequences(self, root: Path) -> list[RecordedSequence]:
        found, subjects = [], set(self.subjects())
        for path in sorted(root.glob("videos/*/*.mp4")):
            source = path.relative_to(root).as_posix()
            match = VIDEO.fullmatch(source)
            if match is None or match["subject"] not in subjects or match["activity"] not in ACTIVITIES:
                continue
            subject, activity = match["subject"], match["activity"]
            found.append(
                RecordedSequence(
                    dataset=self.name,
                    sequence=f"{subject}_{activity}",
                    subject=subject,
                    activity=activity,
                    split=None,
                    shard=subject,
                    kind="video",
                    source=source,
                    first_frame=1,
                )
            )
        return found

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        known = {path for sequence in sequences for path in (sequence.source, _label_file(sequence))}
        return unexpected_files(root, ("videos/*/*", f"{LABELS}/*"), known)

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        import pandas as pd

        tables = []
        for sequence in sequences:
            path = root / _label_file(sequence)
            if not os.path.lexists(path):
                continue
            table = read_occurrence_csv(path, ACTION_UNITS)
            table.insert(0, "sequence", sequence.sequence)
            tables.append(table)
        if not tables:
            raise ClefError(f"{root / LABELS}: no labels of any recording; expected files such as F001_T1.csv")
        return pd.concat(tables, ignore_index=True)


def _label_file(sequence: RecordedSequence) -> str:
    return f"{LABELS}/{sequence.sequence}.csv"


ADAPTER = Demo
