"""Published figures of a data set, against which `clef check` compares a copy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class PublishedCounts:
    """Published counts and rates; unpublished ones are left out."""

    source: str
    """Where the figures come from."""
    subjects: int | None = None
    sequences: int | None = None
    labelled_sequences: int | None = None
    labelled_frames: int | None = None
    """Frames or images with labels, including uncodable ones."""
    uncodable_frames: int = 0
    """Labelled frames in which every label is unknown."""
    frames_by: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Labelled frames by `activity`, by `split`, or by `fold` of the first partition (P1 ...)."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Share of the codable frames, 0 to 1, in which an action unit is present."""
    threshold: int = 1
    """Lowest raw code that counts as present in `rates`."""
    known_missing: Mapping[str, str] = field(default_factory=dict)
    """Recordings that are missing or broken in known copies, and the source that says so."""
    classes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Images by split and class."""

    @classmethod
    def of_classes(cls, source: str, by_split: Mapping[str, Mapping[str, int]], **counts: Any) -> Self:
        """Return the counts of a data set of labelled images from its counts by split and class."""
        images = {split: sum(classes.values()) for split, classes in by_split.items()}
        return cls(
            source, labelled_frames=sum(images.values()), frames_by={"split": images}, classes=by_split, **counts
        )
