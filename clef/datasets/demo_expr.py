"""The still images of the demo: seven expressions, no subjects, an official train and test split.

images/train/00001.jpg
images/test/00001.jpg
labels.csv               image,expression
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clef.datasets.base import Dataset, files_except, sort_by_shard
from clef.datasets.demo import render_params
from clef.datasets.readers.csv_file import read_csv
from clef.demo.behaviour import EXPRESSIONS
from clef.errors import ClefError
from clef.recordings.sequence import RecordedSequence

if TYPE_CHECKING:
    import pandas as pd

BLOCKS = 4
IMAGE = re.compile(r"images/(?P<split>train|test)/(?P<number>\d{5})\.jpg")
LABELS = "labels.csv"


class DemoExpressions(Dataset):
    """Rendered still faces, each of another person."""

    rendered = True
    label_names: ClassVar = list(EXPRESSIONS)

    def shards(self) -> list[str]:
        return [f"block{block}" for block in range(BLOCKS)]

    def subjects(self) -> list[str]:
        return []

    def expected_sequences(self) -> list[str]:
        render = render_params(self.params, "stills")
        counts = {"train": render.train_images, "test": render.test_images}
        return [f"{split}_{image:05d}" for split, count in counts.items() for image in range(1, count + 1)]

    def version_of(self, shard: str) -> str:
        return "images"

    def completion_marker(self) -> str | None:
        return "render.json"

    def sequences(self, root: Path) -> list[RecordedSequence]:
        sources = (path.relative_to(root).as_posix() for path in root.glob("images/*/*.jpg"))
        images = []
        for match in filter(None, map(IMAGE.fullmatch, sources)):
            name, shard = f"{match['split']}_{match['number']}", f"block{int(match['number']) % BLOCKS}"
            images.append(self._recording(name, shard, "image", match.string, 0, split=match["split"]))
        return sort_by_shard(images)

    def unexpected_files(self, root: Path, sequences: Iterable[RecordedSequence]) -> list[str]:
        known = {sequence.source for sequence in sequences}
        without_image = sorted(_read_labels(root).keys() - known)
        return files_except(root, ("images/*/*",), known) + [f"{LABELS}: {source}" for source in without_image]

    def labels(self, root: Path, sequences: Iterable[RecordedSequence]) -> "pd.DataFrame":
        import pandas as pd

        expressions = _read_labels(root)
        rows = [(s.sequence, s.first_frame, expressions[s.source]) for s in sequences if s.source in expressions]
        return pd.DataFrame(rows, columns=["sequence", "frame", "expression"]).astype({"frame": "int32"})


def _read_labels(root: Path) -> dict[str, str]:
    """Path, such as images/train/00001.jpg, and expression of each image."""
    import pyarrow as pa

    path = root / LABELS
    table = read_csv(path, pa.string(), "the columns image, expression")
    if set(table.column_names) != {"image", "expression"}:
        raise ClefError(f"{path}: columns {', '.join(table.column_names)}; expected image, expression")
    found: dict[str, str] = {}
    for image, expression in zip(table["image"].to_pylist(), table["expression"].to_pylist(), strict=True):
        if expression not in EXPRESSIONS:
            raise ClefError(f"{path}: {image}: expression {expression!r}; expected one of {', '.join(EXPRESSIONS)}")
        if f"images/{image}" in found:
            raise ClefError(f"{path}: {image} is labelled twice; expected one row per image")
        found[f"images/{image}"] = expression
    return found


ADAPTER = DemoExpressions
