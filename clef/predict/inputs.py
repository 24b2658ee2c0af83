"""Find the recordings that the arguments of `clef predict` name."""

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from clef.recordings.media_files import VIDEO_SUFFIXES, media_below, media_kind
from clef.recordings.sequence import RecordedSequence

Problem = tuple[str, str]
"""Name of a file, and what is wrong with it."""


def find_recordings(names: Sequence[str]) -> tuple[list[RecordedSequence], list[Problem]]:
    """List the videos and images among files, folders and glob patterns, each file once, and the names without any.

    Files of a folder, or of a pattern, are sorted. Each recording has the name that was given, as has its source.
    """
    recordings: dict[Path, RecordedSequence] = {}
    problems: list[Problem] = []
    for name in names:
        matches = sorted(glob(name, recursive=True)) if has_magic(name) and not Path(name).exists() else [name]
        if not matches:
            problems.append((name, "no file matches this pattern"))
        for match in matches:
            files, problem = _files(match)
            problems += [(match or "''", problem)] if problem else []
            for file in files:
                recordings.setdefault(Path(file).resolve(), _recording(file))
    return list(recordings.values()), problems


def _files(name: str) -> tuple[list[str], str | None]:
    path = Path(name)
    if not name:  # as a path, it would be the current folder
        return [], "the name is empty; expected a file, a folder or a pattern"
    try:
        name.encode()
    except UnicodeEncodeError:
        return [], "its name is not UTF-8; rename it"
    if path.is_dir():
        files = [str(path / file) for _, media in media_below(path) for file in media]
        return files, None if files else "holds no video and no image"
    if not path.exists():
        return [], "no such file"
    if media_kind(name) is None:
        known = ", ".join(sorted(VIDEO_SUFFIXES))
        return [], f"neither a video nor an image by its name; expected an image such as .jpg, or one of {known}"
    return [name], None


def _recording(file: str) -> RecordedSequence:
    return RecordedSequence(
        dataset="",
        sequence=file,
        subject=None,
        activity=None,
        split=None,
        shard="",
        kind="video" if media_kind(file) == "video" else "image",
        source=file,
        first_frame=0,
    )
