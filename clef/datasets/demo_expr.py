"""The demo's still images: seven expressions, no subjects, an official train and test split.

images/train/00001.jpg
images/test/00001.jpg
labels.csv               image,expression
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clef.datasets.base import Dataset, unexpected_files
from clef.datasets.readers.csv_file import read_csv
from clef.demo.behaviour import EXPRESSIONS
from clef.errors import ClefError
from clef.params.schema import ParamsError, RenderParams
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

BLOCKS = 4
IMAGE = re.compile(r"images/(?P<split>train|test)/(?P<number>\d{5})\.jpg")
LABELS = "labels.csv"


class DemoExpressions(Dataset):
    """Rendered still faces, each a person of its own."""

    label_names: ClassVar = list(EXPRESSIONS)

    @property
    def _render(self) -> RenderParams:
        if self.params.render is None or self.params.render.kind != "stills":
            raise ParamsError("render: the adapter demo_expr needs `render: {kind: stills}`")
        return self.params.render

    def shards(self) -> list[str]:
        return [f"block{block}" for block in range(BLOCKS)]

    def subjects(self) -> list[str]:
        return []

    def expected_sequences(self) -> list[str]:
        counts = {"train": self._render.train_images, "test": self._render.test_images}
        return [f"{split}_{image:05d}" for split, count in counts.items() for image in range(1, count + 1)]

    def version_of(self, shard: str) -> str:
        return "images"

    def completion_marker(self) -> str | None:
        return "render.json"

    def sequences(self, root: Path) -> list[RecordedSequence]:
        there = sorted(path.relative_to(root).as_posix() for path in root.glob("images/*/*.jpg"))
        found = [self._image(match) for source in there if (match := IMAGE.fullmatch(source))]
        return sorted(found, key=lambda sequence: (sequence.shard, sequence.sequence))

    def _image(self, match: re.Match[str]) -> RecordedSequence:
        split, number = match["split"], match["number"]
        return RecordedSequence(
            dataset=self.name,
            sequence=f"{split}_{number}",
            subject=None,
            activity=None,
            split=split,
            shard=f"block{int(number) % BLOCKS}",
            kind="image",
            source=match.string,
            first_frame=0,
        )

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        known = {sequence.source for sequence in sequences}
        without_image = sorted({f"images/{image}" for image, _ in _read_labels(root)} - known)
        return unexpected_files(root, ("images/*/*",), known) + [f"{LABELS}: {source}" for source in without_image]

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        import pandas as pd

        expression_of = {f"images/{image}": expression for image, expression in _read_labels(root)}
        rows = [
            (sequence.sequence, sequence.first_frame, expression_of[sequence.source])
            for sequence in sequences
            if sequence.source in expression_of
        ]
        return pd.DataFrame(rows, columns=["sequence", "frame", "expression"]).astype({"frame": "int32"})


def _read_labels(root: Path) -> list[tuple[str, str]]:
    """Image, such as train/00001.jpg, and its expression."""
    import pyarrow as pa

    path = root / LABELS
    table = read_csv(path, pa.string(), "the columns image, expression")
    if set(table.column_names) != {"image", "expression"}:
        raise ClefError(f"{path}: columns {', '.join(table.column_names)}; expected image, expression")
    images, expressions = table["image"].to_pylist(), table["expression"].to_pylist()
    for image, expression in zip(images, expressions, strict=True):
        if expression not in EXPRESSIONS:
            raise ClefError(f"{path}: {image}: expression {expression!r}; expected one of {', '.join(EXPRESSIONS)}")
    twice = [image for image, times in Counter(images).items() if times > 1]
    if twice:
        raise ClefError(f"{path}: {twice[0]} is labelled twice; expected one row an image")
    return list(zip(images, expressions, strict=True))


ADAPTER = DemoExpressions
