"""How recordings of a subject and a task can lie on disk: a folder of images, a zip a subject, a video a recording."""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clef.errors import ClefError
from clef.recordings.numbered_images import image_number, zipped_folders
from clef.recordings.sequence import SequenceKind

NameReader = Callable[[str], tuple[str, str] | None]
"""Subject and task of a video, by its file name."""
NameWriter = Callable[[str, str, str], str]
"""File name of a video, by the name of another and by subject and task."""


@dataclass(frozen=True)
class Place:
    """Where a recording lies."""

    path: Path
    kind: SequenceKind
    inside: str | None = None


class Packed(ABC):
    """Recordings found in one folder, in one packaging."""

    name: ClassVar[str]
    numbered: ClassVar[bool] = True
    """True where frames are images named by numbers."""

    def __init__(self, base: Path, tasks: Iterable[str], read_name: NameReader, write_name: NameWriter) -> None:
        self.base = base
        self.tasks = sorted(tasks)
        self.read_name = read_name
        self.write_name = write_name
        with os.scandir(base) as entries:
            self.names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        self.subjects = self._find_subjects()
        """Those with recordings."""

    @abstractmethod
    def _find_subjects(self) -> set[str]: ...

    @abstractmethod
    def place(self, subject: str, task: str) -> Place | None:
        """Where the recording should lie; None where it is plain that it is not there."""

    def missing_place(self, subject: str, task: str) -> Place | None:
        """Where a recording would lie that is plainly not there; None for one that is, or may be."""
        return None

    @abstractmethod
    def unexpected_files(self, everybody: Iterable[str]) -> list[Path]:
        """What lies among the recordings and is none of this set's."""

    def zero(self, subjects: Iterable[str]) -> str | None:
        """An image with number 0, if there is one: where it was seen."""
        return None


class Images(Packed):
    """`F001/T1/0000.jpg`."""

    name = "images"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"[FM]\d{3}")

    def _find_subjects(self) -> set[str]:
        named = [name for name in self.names if self.pattern.fullmatch(name)]
        return {name for name in named if any(next(self._numbers(name, task), None) is not None for task in self.tasks)}

    def _numbers(self, subject: str, task: str) -> Iterator[int]:
        try:
            with os.scandir(self.base / subject / task) as entries:
                for entry in entries:
                    number = image_number(entry.name)
                    if number is not None:
                        yield number
        except (FileNotFoundError, NotADirectoryError):
            return

    def place(self, subject: str, task: str) -> Place | None:
        folder = self.base / subject / task
        return Place(folder, "images") if folder.is_dir() else None

    def missing_place(self, subject: str, task: str) -> Place | None:
        return None if self.place(subject, task) else Place(self.base / subject / task, "images")

    def unexpected_files(self, everybody: Iterable[str]) -> list[Path]:
        known = set(everybody)
        strange = [self.base / name for name in self.names if self.pattern.fullmatch(name) and name not in known]
        for subject in sorted(known & self.subjects):
            with os.scandir(self.base / subject) as entries:
                folders = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
            strange += [self.base / subject / name for name in sorted(set(folders) - set(self.tasks))]
        return strange

    def zero(self, subjects: Iterable[str]) -> str | None:
        for subject in subjects:
            for task in self.tasks:
                if 0 in self._numbers(subject, task):
                    return f"{subject}/{task}"
        return None


class Zips(Packed):
    """`F001.zip` with `F001/T1/0000.jpg` inside."""

    name = "zips"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"([FM]\d{3})\.zip", re.IGNORECASE)

    def _find_subjects(self) -> set[str]:
        named = ((self.pattern.fullmatch(name), name) for name in self.names)
        self._zips = {match[1].upper(): self.base / name for match, name in named if match}
        return set(self._zips)

    def place(self, subject: str, task: str) -> Place | None:
        path = self._zips.get(subject)
        return None if path is None else Place(path, "zip", f"{subject}/{task}")

    def unexpected_files(self, everybody: Iterable[str]) -> list[Path]:
        known = {self._zips[subject].name for subject in self.subjects & set(everybody)}
        return [self.base / name for name in self.names if ".zip" in name.lower() and name not in known]

    def zero(self, subjects: Iterable[str]) -> str | None:
        """Look into the first zip that opens: a zip's list of contents takes a while to read, and one tells."""
        for subject in subjects:
            if subject not in self._zips:
                continue
            try:
                folders = zipped_folders(self._zips[subject])
            except ClefError:
                continue
            return next((f"{self._zips[subject].name}: {name}" for name in sorted(folders) if 0 in folders[name]), None)
        return None


class Videos(Packed):
    """A file a recording; its first frame is frame 1."""

    name = "videos"
    numbered = False

    def _find_subjects(self) -> set[str]:
        named = ((self.read_name(name), name) for name in self.names)
        self._videos = {read: self.base / name for read, name in named if read}
        return {subject for subject, task in self._videos if task in self.tasks}

    def place(self, subject: str, task: str) -> Place | None:
        path = self._videos.get((subject, task))
        return None if path is None else Place(path, "video")

    def missing_place(self, subject: str, task: str) -> Place | None:
        if (subject, task) in self._videos:
            return None
        own = (path for (other, _), path in self._videos.items() if other == subject)
        example = next(own, next(iter(self._videos.values())))
        return Place(self.base / self.write_name(example.name, subject, task), "video")

    def unexpected_files(self, everybody: Iterable[str]) -> list[Path]:
        known = {path.name for (subject, _), path in self._videos.items() if subject in set(everybody)}
        suffixes = {path.suffix.lower() for path in self._videos.values()}
        files = (self.base / name for name in self.names if Path(name).suffix.lower() in suffixes)
        return [path for path in files if path.name not in known]
