import logging
from dataclasses import replace

import pandas as pd
import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.ingest.labels import coverage, read_labels
from clef.recordings.sequence import MISSING, RecordedSequence
from tests.toy import FRAMES, LABELLED, SUBJECTS, make_toy, toy_params


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


def label_file(raw, name):
    return raw / "AUCoding" / "AU_OCC" / f"{name}.csv"


def tolerant(params, max_bad):
    return params.model_copy(update={"ingest": params.ingest.model_copy(update={"max_bad": max_bad})})


def label_further(raw, *frames, name="F002_T2"):
    path = label_file(raw, name)
    lines = path.read_text().splitlines()
    codes = lines[-1].split(",")[1:]
    path.write_text("\n".join([*lines, *(",".join([str(frame), *codes]) for frame in frames)]))


def with_overhang(params, frames_past_end):
    return params.model_copy(update={"ingest": params.ingest.model_copy(update={"frames_past_end": frames_past_end})})


def read(toy, max_bad=0.0):
    params, raw, sequences = toy
    return read_labels(open_dataset(tolerant(params, max_bad)), raw, sequences)


def test_labels_that_fit_are_read_without_a_word(toy, caplog):
    assert len(read(toy)) == SUBJECTS * 3 * len(LABELLED)
    assert not caplog.records


def test_a_recording_without_labels_is_named_up_to_the_share_allowed(toy, caplog):
    _, raw, _ = toy
    label_file(raw, "F002_T1").unlink()
    with caplog.at_level(logging.WARNING):
        labels = read(toy, max_bad=1 / 18)
    assert "F002_T1" not in set(labels["sequence"])
    assert [record.getMessage() for record in caplog.records] == ["without labels: F002_T1"]
    label_file(raw, "F002_T2").unlink()
    with pytest.raises(ClefError, match=r"2 of 18 recordings have no labels, .* allows 1: F002_T1, F002_T2; restore"):
        read(toy, max_bad=1 / 18)


def test_labels_without_a_recording_are_named_and_not_used(toy, caplog):
    _, raw, _ = toy
    label_file(raw, "F009_T1").write_bytes(label_file(raw, "F001_T1").read_bytes())
    with caplog.at_level(logging.WARNING):
        labels = read(toy)
    assert "F009_T1" not in set(labels["sequence"])
    assert [record.getMessage() for record in caplog.records] == [
        f"{label_file(raw, 'F009_T1')}: belongs to no recording of toy; it is not used"
    ]


@pytest.mark.parametrize("frame", [0, FRAMES + 1])
def test_a_label_beyond_its_video_is_told_with_the_frames_that_there_are(toy, frame):
    _, raw, _ = toy
    label_further(raw, frame)
    message = f"F002_T2 has a label for frame {frame}, but videos/F002/T2.mp4 has frames 1 to {FRAMES}; expected"
    with pytest.raises(ClefError, match=message) as caught:
        read(toy)
    assert ("ingest.frames_past_end, which allows 0 past its end" in str(caught.value)) == (frame > FRAMES)


def test_labels_may_reach_past_the_end_as_far_as_the_overhang(toy, caplog):
    params, raw, sequences = toy
    label_further(raw, FRAMES + 1, FRAMES + 2)
    label_further(raw, FRAMES + 1, name="M001_T1")
    with caplog.at_level(logging.WARNING):
        labels = read_labels(open_dataset(with_overhang(params, 2)), raw, sequences)
    assert labels.query("sequence == 'F002_T2'")["frame"].tolist()[-2:] == [FRAMES + 1, FRAMES + 2]
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.startswith("3 labelled frames lie past the end of their video, as ingest.frames_past_end allows, in 2 record")
    with pytest.raises(ClefError, match=rf"label for frame {FRAMES + 2}, .* ingest\.frames_past_end, which allows 1 past"):
        read_labels(open_dataset(with_overhang(params, 1)), raw, sequences)


@pytest.mark.parametrize(("kind", "frame"), [("video", 0), ("image", FRAMES + 1)])
def test_no_overhang_reaches_before_the_first_frame_or_beyond_an_image(toy, kind, frame):
    params, raw, sequences = toy
    label_further(raw, frame)
    listed = [replace(sequence, kind=kind) for sequence in sequences]
    with pytest.raises(ClefError, match=rf"F002_T2 has a label for frame {frame}, .* of one recording$"):
        read_labels(open_dataset(with_overhang(params, 5)), raw, listed)


def test_a_damaged_recording_keeps_its_labels(toy):
    params, raw, sequences = toy
    damaged = replace(sequences[0], frames=1, problem="cannot be opened")
    labels = read_labels(open_dataset(params), raw, [damaged, *sequences[1:]])
    assert (labels["sequence"] == damaged.sequence).sum() == len(LABELLED)


def test_a_mistake_in_one_file_is_one_line(toy):
    _, raw, _ = toy
    path = label_file(raw, "M001_T3")
    path.write_text(path.read_text().replace("\n5,0", "\n5,7").replace("\n5,1", "\n5,7"))
    with pytest.raises(ClefError, match=r"M001_T3\.csv: frame 5, action unit 1: code 7; expected 0, 1 or 9"):
        read(toy)


def numbered(name, frames=None, problem=None):
    return RecordedSequence("toy", name, "F001", "T1", None, "F001", "images", name, 0, frames=frames, problem=problem)


def labels_of(frames_of):
    return pd.DataFrame(
        [(name, frame) for name, frames in frames_of.items() for frame in frames], columns=["sequence", "frame"]
    )


def test_coverage_is_what_the_manifest_will_count():
    sequences = [numbered("a", 4), numbered("b", problem="cut off"), numbered("c", problem=MISSING), numbered("d", 3)]
    labels = labels_of({"a": [1, 2, 9], "b": [5, 6], "c": [5, 6]})
    found = coverage(sequences, labels, {"a": [0, 1, 2, 3], "d": [0, 1, 2]})
    # of b there is one frame at least, which has no label; of c there is nothing but what its labels name
    assert (found.frames, found.undecodable) == (5 + 3 + 2 + 3, 1 + 3 + 2)
    assert (found.lacking, found.gone) == ({"a": 1}, {"b": 2, "c": 2})
    assert found.worst == ["b (2)", "c (2)", "a (1)"]
    assert (found.shift, found.labelled) == (None, 3)
    assert found.too_many(0.4)
    assert not found.too_many(0.5)


def test_recordings_that_were_not_opened_are_taken_to_be_as_the_others():
    opened = [numbered("a", 4), numbered("b", 6)]
    labels = labels_of({name: [1, 2, 9] for name in "acd"})
    images = {"a": [0, 1, 2, 3], "b": range(6)}
    alone = coverage(opened, labels, images)
    assert (alone.frames, alone.undecodable) == (11, 1)
    found = coverage([*opened, *(numbered(name) for name in "cdef")], labels, images)
    assert (found.frames, found.undecodable) == (33, 3)  # three times as many recordings, and labelled ones


@pytest.mark.parametrize(("first", "shift"), [(1, -1), (-1, 1), (0, None)])
def test_a_count_that_is_one_off_is_told_from_gaps(first, shift):
    sequences = [numbered(name, 4) for name in "abc"]
    labels = labels_of({name: range(first, first + 4) for name in "abc"})
    assert coverage(sequences, labels, dict.fromkeys("abc", range(4))).shift == shift


def test_single_images_lack_what_cannot_be_read():
    sequences = [replace(numbered(name, 1), kind="image") for name in "abc"]
    sequences[1] = replace(sequences[1], problem="empty")
    found = coverage(sequences, labels_of({"a": [0], "b": [0]}), {})
    assert (found.frames, found.undecodable, found.gone) == (3, 1, {})
