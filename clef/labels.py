"""The raw labels of a data set, checked against its recordings: once before cropping, and again for the manifest."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from clef.datasets.base import NUMBERED, Dataset, Sequence
from clef.errors import ClefError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

MOST_NAMED = 20
"""Files that belong to nothing and are named one by one: a folder of images may hold a hundred thousand."""


def read_labels(dataset: Dataset, root: Path, sequences: list[Sequence]) -> "pd.DataFrame":
    """Read the labels of all recordings and say what does not belong together.

    Recordings without labels, and labels without a recording, are named as warnings.

    Args:
        dataset: The adapter.
        root: Folder of the raw data.
        sequences: Every recording, from `ingest`.

    Returns:
        As `Dataset.labels`.

    Raises:
        ClefError: A frame is labelled twice or lies further beyond its video than `ingest.overhang` allows, or more
            recordings are without labels than `ingest.max_bad` allows.
    """
    labels = dataset.labels(root, sequences)
    twice = labels[labels.duplicated(["sequence", "frame"])]
    if len(twice):
        frame, sequence = twice[["frame", "sequence"]].iloc[0]
        raise ClefError(f"{root}: frame {frame} of {sequence} is labelled twice; expected one label a frame")
    _require_within(labels, sequences, root, dataset.params.ingest.overhang)
    strangers = dataset.strangers(root, sequences)
    for stranger in strangers[:MOST_NAMED]:
        log.warning("%s: belongs to no recording of %s; it is not used", root / stranger, dataset.name)
    if len(strangers) > MOST_NAMED:
        log.warning("%s: %d more files like these", root, len(strangers) - MOST_NAMED)
    expected = dataset.labelled_sequences()
    without = sorted(({s.sequence for s in sequences} & set(expected)) - set(labels["sequence"]))
    if without:
        names = ", ".join(without[:8]) + (f" and {len(without) - 8} more" if len(without) > 8 else "")
        allowed = int(dataset.params.ingest.max_bad * len(expected))
        if len(without) > allowed:
            raise ClefError(
                f"{root}: {len(without)} of {len(expected)} recordings have no labels, "
                f"ingest.max_bad allows {allowed}: {names}; restore their files"
            )
        log.warning("without labels: %s", names)
    return labels


def _require_within(labels: "pd.DataFrame", sequences: list[Sequence], root: Path, overhang: int) -> None:
    """Refuse labels of frames that a sound recording does not have; a damaged one is judged once it is decoded."""
    import pandas as pd

    sound = [s for s in sequences if s.frames is not None and not s.problem and s.kind not in NUMBERED]
    limits = pd.DataFrame(
        [(s.sequence, s.source, s.kind, s.first_frame, s.first_frame + (s.frames or 0) - 1) for s in sound],
        columns=["sequence", "source", "kind", "first", "last"],
    )
    labelled = labels[["sequence", "frame"]].merge(limits, on="sequence")
    past = labelled["frame"] - labelled["last"]
    allowed = (labelled["kind"] == "video") * overhang
    beyond = labelled[(labelled["frame"] < labelled["first"]) | (past > allowed)]
    if len(beyond):
        example = beyond.iloc[0]
        at_the_end = example["kind"] == "video" and example["frame"] > example["last"]
        hint = f"; if the video is whole, raise ingest.overhang, which allows {overhang} past its end"
        raise ClefError(
            f"{root}: {example['sequence']} has a label for frame {example['frame']}, but {example['source']} has "
            f"frames {example['first']} to {example['last']}; expected labels and frames of one recording"
            f"{hint if at_the_end else ''}"
        )
    hanging = labelled.loc[past > 0, "sequence"]
    if len(hanging):
        log.warning(
            "%d labelled frames lie past the end of their video, as ingest.overhang allows, in %d recordings such as "
            "%s; they count as not decodable",
            len(hanging),
            hanging.nunique(),
            hanging.iloc[0],
        )
