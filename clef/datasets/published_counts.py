"""What a complete copy of a data set is known to hold, and in which of its packagings a copy lies."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Packaging:
    """How a copy is packed, as found."""

    name: str
    found: str
    """One line: what lies where."""
    offset: int | None = None
    """What is added to the number of an image to give the number of its label; None where nothing is numbered."""
    reason: str | None = None
    """Why that offset."""

    @property
    def line(self) -> str:
        """All of it, on one line."""
        if self.offset is None:
            return f"{self.name}: {self.found}"
        return f"{self.name}: {self.found}; frame = image number + {self.offset}, since {self.reason}"


@dataclass(frozen=True)
class PublishedCounts:
    """Published counts and rates. What a publication does not say is left out."""

    source: str
    """Where the figures come from."""
    subjects: int | None = None
    sequences: int | None = None
    labelled_sequences: int | None = None
    labelled_frames: int | None = None
    """Frames, or images, that have labels, codable or not."""
    uncodable_frames: int = 0
    """Those of them in which no label is known."""
    frames_by: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Labelled frames by `activity`, by `fold` of the first partition (P1 ...) or by `split`, and its name."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Share of the codable frames, 0 to 1, in which an action unit is present."""
    threshold: int = 1
    """Least raw code that counts as present in `rates`."""
    known_missing: Mapping[str, str] = field(default_factory=dict)
    """Recordings that copies are known to lack, or to have broken, and who says so."""
    classes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Images by split and class."""
