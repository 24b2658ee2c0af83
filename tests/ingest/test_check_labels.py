"""Labels compared with recordings that were opened, or not, without any files but label files."""

from dataclasses import replace

import pandas as pd
import pytest

from clef.datasets import open_dataset
from clef.datasets.published_counts import PublishedCounts
from clef.ingest.check_labels import check_labels, coverage
from clef.ingest.check_recordings import RawCopy
from clef.ingest.report import Report
from clef.recordings.sequence import MISSING, RecordedSequence
from tests.toy import FRAMES, make_toy, toy_params


@pytest.fixture
def toy(tmp_path):
    params = toy_params()
    make_toy(tmp_path, params)
    sequences = [
        RecordedSequence("toy", f"{s}_{a}", s, a, None, s, "video", f"videos/{s}/{a}.mp4", 1, frames=FRAMES)
        for s in open_dataset(params).subjects()
        for a in ("T1", "T2", "T3")
    ]
    return params, tmp_path / "raw", sequences


def check(toy, **ingest) -> tuple[Report, pd.DataFrame | None]:
    params, root, sequences = toy
    params = params.model_copy(update={"ingest": params.ingest.model_copy(update=ingest)})
    copy = RawCopy(open_dataset(params), root, PublishedCounts(""), Report("toy", "demo", str(root)))
    return copy.report, check_labels(copy, sequences, {})


def label(toy, frame: int) -> None:
    path = toy[1] / "AUCoding" / "AU_OCC" / "F002_T2.csv"
    text = path.read_text()
    path.write_text(f"{text}{frame},{text.splitlines()[-1].partition(',')[2]}\n")


def test_frame_that_is_labelled_twice_is_a_problem(toy, monkeypatch):
    adapter = type(open_dataset(toy[0]))
    read = adapter.labels
    monkeypatch.setattr(adapter, "labels", lambda *arguments: pd.concat([t := read(*arguments), t.tail(1)]))
    (problem,) = check(toy)[0].problems
    assert problem == ("1 frame labelled twice: M003_T3 frame 12; expected one label a frame; remove the wrong ones")


@pytest.mark.parametrize(("kind", "frame"), [("video", 0), ("image", FRAMES + 1)])
def test_frames_past_end_allows_no_label_before_a_video_or_beyond_an_image(toy, kind, frame):
    params, root, sequences = toy
    label(toy, frame)
    report, _ = check((params, root, [replace(sequence, kind=kind) for sequence in sequences]), frames_past_end=5)
    (problem,) = report.problems
    assert f"F002_T2 (frames 1 to {FRAMES}, labels " in problem


def test_labels_may_reach_past_the_end_of_a_video_by_frames_past_end(toy):
    label(toy, FRAMES + 1)
    (remark,) = check(toy, frames_past_end=1)[0].remarks
    assert remark.startswith("labels reach past the end of their video in 1 recording, ")
    assert remark.endswith("not decodable: F002_T2 (1)")
    (problem,) = check(toy, frames_past_end=0)[0].problems
    assert f"outside their video in 1 recording: F002_T2 (frames 1 to {FRAMES}, labels 5 to {FRAMES + 1}); " in problem
    assert problem.endswith("raise ingest.frames_past_end, which allows 0 past the end")


def test_labels_at_twice_the_rate_of_a_video_are_recognised(toy):
    for frame in range(FRAMES + 1, 2 * FRAMES + 1):
        label(toy, frame)
    (problem,) = check(toy)[0].problems
    assert "there are about 2 labels a frame: number them by the frames of the video, or copy the video" in problem


def test_labels_of_a_damaged_video_are_kept(toy):
    params, root, sequences = toy
    label(toy, FRAMES + 1)
    damaged = [replace(s, frames=1, problem="cannot be opened") if s.sequence == "F002_T2" else s for s in sequences]
    report, labels = check((params, root, damaged), max_bad=0.5)
    assert report.usable
    assert FRAMES + 1 in set(labels.loc[labels["sequence"] == "F002_T2", "frame"])


def numbered(name: str, frames: int | None = None, problem: str | None = None) -> RecordedSequence:
    return RecordedSequence("toy", name, "F001", "T1", None, "F001", "images", name, 0, frames=frames, problem=problem)


def labels_of(frames_of) -> pd.DataFrame:
    rows = [(name, frame) for name, frames in frames_of.items() for frame in frames]
    return pd.DataFrame(rows, columns=["sequence", "frame"])


def test_coverage_counts_the_rows_of_the_manifest():
    sequences = [numbered("a", 4), numbered("b", problem="cut off"), numbered("c", problem=MISSING), numbered("d", 3)]
    labels = labels_of({"a": [1, 2, 9], "b": [5, 6], "c": [5, 6]})
    found = coverage(sequences, labels, {"a": [0, 1, 2, 3], "d": [0, 1, 2]})
    # b has at least one frame, which has no label; c has only its labelled frames
    assert (found.frames, found.undecodable) == (5 + 3 + 2 + 3, 1 + 3 + 2)
    assert (found.without_image, found.unreadable) == ({"a": 1}, {"b": 2, "c": 2})
    assert (found.shift, found.labelled) == (None, 3)
    single = [replace(numbered(name, 1, problem), kind="image") for name, problem in (("a", None), ("b", "empty"))]
    found = coverage(single, labels_of({"a": [0], "b": [0]}), {})
    assert (found.frames, found.undecodable, found.unreadable) == (2, 1, {})


def test_recordings_that_were_not_opened_count_like_the_others():
    opened = [numbered("a", 4), numbered("b", 6)]
    labels = labels_of({name: [1, 2, 9] for name in "acd"})
    images = {"a": [0, 1, 2, 3], "b": range(6)}
    alone = coverage(opened, labels, images)
    assert (alone.frames, alone.undecodable) == (11, 1)
    found = coverage([*opened, *(numbered(name) for name in "cdef")], labels, images)
    assert (found.frames, found.undecodable) == (33, 3)  # three times as many recordings, and labelled ones
