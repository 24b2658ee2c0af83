"""Packagings of recordings by subject and task: folders of images, one zip per subject, or one video per recording."""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from clef.datasets.readers.find_folders import folders_in
from clef.errors import ClefError
from clef.recordings.numbered_images import image_number, zipped_folders
from clef.recordings.sequence import SequenceKind


@dataclass(frozen=True)
class RecordingPath:
    """Where a recording is, or should be."""

    path: Path
    kind: SequenceKind
    exists: bool = True
    inside: str | None = None


class PackagedRecordings(ABC):
    """The recordings in one folder, in one packaging."""

    name: ClassVar[str]

    def __init__(self, base: Path, tasks: Iterable[str], read_name: Callable[[str], tuple[str, str] | None]) -> None:
        """`read_name` returns subject and task of a video, given its file name."""
        self.base = base
        self.tasks = sorted(tasks)
        self.read_name = read_name
        self.names = sorted(name for name in os.listdir(base) if not name.startswith("."))
        self.subjects = self._find_subjects()
        """Subjects with recordings."""

    @abstractmethod
    def _find_subjects(self) -> set[str]: ...

    @abstractmethod
    def find(self, subject: str, task: str) -> RecordingPath | None:
        """Find a recording. Zip files are not opened, so recordings inside are assumed to exist."""

    @abstractmethod
    def unexpected_files(self, all_subjects: Iterable[str]) -> list[Path]:
        """List files and folders among the recordings that belong to no subject or task."""

    def find_image_zero(self, subjects: Iterable[str]) -> str | None:
        """Return the location of an image numbered 0, or None."""
        return None


class ImageFolders(PackagedRecordings):
    """`F001/T1/0000.jpg`."""

    name = "images"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"[FM]\d{3}")

    def _find_subjects(self) -> set[str]:
        named = [name for name in self.names if self.pattern.fullmatch(name)]
        return {name for name in named if any(next(self._numbers(name, task), None) is not None for task in self.tasks)}

    def _numbers(self, subject: str, task: str) -> Iterator[int]:
        try:
            with os.scandir(self.base / subject / task) as entries:
                yield from (number for entry in entries if (number := image_number(entry.name)) is not None)
        except (FileNotFoundError, NotADirectoryError):
            return

    def find(self, subject: str, task: str) -> RecordingPath | None:
        folder = self.base / subject / task
        return RecordingPath(folder, "images", folder.is_dir())

    def unexpected_files(self, all_subjects: Iterable[str]) -> list[Path]:
        known = set(all_subjects)
        unexpected = [self.base / name for name in self.names if self.pattern.fullmatch(name) and name not in known]
        for subject in sorted(known & self.subjects):
            below = folders_in(self.base / subject)
            unexpected += [folder for folder in below if folder.name not in self.tasks]
        return unexpected

    def find_image_zero(self, subjects: Iterable[str]) -> str | None:
        locations = ((subject, task) for subject in subjects for task in self.tasks)
        return next((f"{subject}/{task}" for subject, task in locations if 0 in self._numbers(subject, task)), None)


class SubjectZips(PackagedRecordings):
    """`F001.zip` with `F001/T1/0000.jpg` inside."""

    name = "zips"
    pattern: ClassVar[re.Pattern[str]] = re.compile(r"([FM]\d{3})\.zip", re.IGNORECASE)

    def _find_subjects(self) -> set[str]:
        matches = filter(None, map(self.pattern.fullmatch, self.names))
        self._zips = {match[1].upper(): self.base / match[0] for match in matches}
        return set(self._zips)

    def find(self, subject: str, task: str) -> RecordingPath | None:
        path = self._zips.get(subject)
        return None if path is None else RecordingPath(path, "zip", inside=f"{subject}/{task}")

    def unexpected_files(self, all_subjects: Iterable[str]) -> list[Path]:
        known = {self._zips[subject].name for subject in self.subjects & set(all_subjects)}
        return [self.base / name for name in self.names if ".zip" in name.lower() and name not in known]

    def find_image_zero(self, subjects: Iterable[str]) -> str | None:
        """Look only into the first zip that opens, because listing a zip takes a while."""
        for path in (self._zips[subject] for subject in subjects if subject in self._zips):
            try:
                folders = zipped_folders(path)
            except ClefError:
                continue
            return next((f"{path.name}: {name}" for name in sorted(folders) if 0 in folders[name]), None)
        return None


class VideoFiles(PackagedRecordings):
    """One file per recording; its first frame is frame 1."""

    name = "videos"

    def _find_subjects(self) -> set[str]:
        self._videos = {read: self.base / name for name in self.names if (read := self.read_name(name))}
        return {subject for subject, task in self._videos if task in self.tasks}

    def find(self, subject: str, task: str) -> RecordingPath | None:
        path = self._videos.get((subject, task))
        return RecordingPath(path or self.base / f"{subject}_{task}", "video", exists=path is not None)

    def unexpected_files(self, all_subjects: Iterable[str]) -> list[Path]:
        subjects = set(all_subjects)
        known = {path for (subject, _), path in self._videos.items() if subject in subjects}
        suffixes = {path.suffix.lower() for path in self._videos.values()}
        files = (self.base / name for name in self.names if Path(name).suffix.lower() in suffixes)
        return [path for path in files if path not in known]
