"""The demo: talking-head videos that `clef render-demo` draws, labelled in BP4D's csv layout.

videos/F001/T1.mp4
AUCoding/AU_OCC/F001_T1.csv
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clef.datasets.base import Dataset, Sequence
from clef.datasets.occurrence_csv import read_occurrence_csv
from clef.demo.behaviour import ACTION_UNITS, ACTIVITIES, subject_ids
from clef.params import ParamsError, RenderParams

if TYPE_CHECKING:
    import pandas as pd

VIDEO = re.compile(r"videos/(?P<subject>[FM]\d{3})/(?P<activity>T\d)\.mp4")


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

    def made_by(self) -> str | None:
        return "render.json"

    def sequences(self, root: Path) -> list[Sequence]:
        found = []
        for path in sorted(root.glob("videos/*/*.mp4")):
            source = path.relative_to(root).as_posix()
            match = VIDEO.fullmatch(source)
            if match is None:
                continue
            subject, activity = match["subject"], match["activity"]
            found.append(
                Sequence(
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

    def labels(self, root: Path, sequences: Iterable[Sequence]) -> "pd.DataFrame":
        import pandas as pd

        tables = []
        for sequence in sequences:
            table = read_occurrence_csv(root / "AUCoding" / "AU_OCC" / f"{sequence.sequence}.csv", ACTION_UNITS)
            table.insert(0, "sequence", sequence.sequence)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)


ADAPTER = Demo
