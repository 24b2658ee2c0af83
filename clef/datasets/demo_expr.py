"""The demo's still images: seven expressions, no subjects, an official train and test split.

images/train/00001.jpg
images/test/00001.jpg
labels.csv               image,expression
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clef.datasets.base import Dataset, Sequence
from clef.demo.behaviour import EXPRESSIONS
from clef.errors import ClefError
from clef.params import ParamsError, RenderParams

if TYPE_CHECKING:
    import pandas as pd

BLOCKS = 4


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

    def made_by(self) -> str | None:
        return "render.json"

    def sequences(self, root: Path) -> list[Sequence]:
        found = [
            self._image(root, path) for split in ("train", "test") for path in (root / "images" / split).glob("*.jpg")
        ]
        return sorted(found, key=lambda sequence: (sequence.shard, sequence.sequence))

    def _image(self, root: Path, path: Path) -> Sequence:
        split = path.parent.name
        return Sequence(
            dataset=self.name,
            sequence=f"{split}_{path.stem}",
            subject=None,
            activity=None,
            split=split,
            shard=f"block{int(path.stem) % BLOCKS}",
            kind="image",
            source=path.relative_to(root).as_posix(),
            first_frame=0,
        )

    def labels(self, root: Path, sequences: Iterable[Sequence]) -> "pd.DataFrame":
        import pandas as pd

        path = root / "labels.csv"
        table = pd.read_csv(path, encoding="utf-8-sig")
        if list(table.columns) != ["image", "expression"]:
            raise ClefError(f"{path}: columns {', '.join(table.columns)}; expected image, expression")
        unknown = sorted(set(table["expression"]) - set(EXPRESSIONS))
        if unknown:
            raise ClefError(f"{path}: expression {unknown[0]}; expected one of {', '.join(EXPRESSIONS)}")
        by_image = dict(zip(table["image"], table["expression"], strict=True))
        rows = [
            (sequence.sequence, sequence.first_frame, by_image[image])
            for sequence in sequences
            if (image := sequence.source.removeprefix("images/")) in by_image
        ]
        return pd.DataFrame(rows, columns=["sequence", "frame", "expression"]).astype({"frame": "int32"})


ADAPTER = DemoExpressions
