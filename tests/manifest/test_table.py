from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.faces.shard import SCHEMA, open_shard, read_fingerprint, read_recordings, write_shard
from clef.manifest.table import NO_ROW, build_manifest, manifest_fingerprint, read_manifest
from clef.recordings.sequence import RecordedSequence
from tests.toy import FRAMES, LABELLED, SUBJECTS, make_toy, toy_params


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    params = toy_params()
    return folder, params, make_toy(folder, params)


def test_every_frame_has_a_row_with_its_keys(toy):
    _, _, inputs = toy
    manifest = read_manifest(inputs.manifest)
    assert len(manifest) == SUBJECTS * 3 * FRAMES
    assert not manifest.duplicated(["dataset", "sequence", "frame"]).any()
    assert (manifest["sequence"] == manifest["subject"] + "_" + manifest["activity"]).all()
    assert (manifest["status"] == "no_face").sum() == SUBJECTS * 3


def test_labels_are_raw_codes_and_missing_where_there_are_none(toy):
    _, _, inputs = toy
    manifest = read_manifest(inputs.manifest)
    assert set(manifest.loc[manifest["labelled"], "frame"]) == {frame + 1 for frame in LABELLED}
    assert manifest.loc[~manifest["labelled"], "AU01"].isna().all()
    assert set(manifest.loc[manifest["labelled"], "AU01"]) == {0, 1}


def test_the_fingerprint_is_kept(toy):
    _, _, inputs = toy
    assert manifest_fingerprint(inputs.manifest)["size"] == 40


@pytest.mark.parametrize("content", [None, b"", b"PAR1 or so", b"PAR1" + bytes(40) + b"PAR1"])
def test_what_is_no_manifest_is_one_line(content, tmp_path):
    path = tmp_path / "manifest.parquet"
    if content is not None:
        path.write_bytes(content)
    for read in (read_manifest, manifest_fingerprint):
        with pytest.raises(
            ClefError, match=r"manifest\.parquet: .*; expected a manifest; make it with `clef man"
        ) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_a_table_of_something_else_is_no_manifest(toy, tmp_path):
    _, _, inputs = toy
    pd.DataFrame({"subject": ["F001"]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ClefError, match=r"other\.parquet: no fingerprint inside; expected a manifest"):
        manifest_fingerprint(tmp_path / "other.parquet")
    with pytest.raises(ClefError, match=r"no column AU39, valence; expected a manifest of this run"):
        read_manifest(inputs.manifest, ["subject", "AU39", "valence"])


def test_labels_that_a_damaged_recording_lost_are_rows_and_count(toy, tmp_path):
    folder, params, inputs = toy
    damaged = tmp_path / "F001.arrow"
    rows = open_shard(inputs.shards["F001"]).to_pylist()
    kept = [row for row in rows if row["sequence"] != "F001_T2"]
    kept.append({"sequence": "F001_T2", "frame": 1, "status": "undecodable"})
    whole = inputs.shards["F001"]
    batch = pa.RecordBatch.from_pylist(kept, schema=SCHEMA)
    write_shard(damaged, [batch], read_fingerprint(whole), read_recordings(whole))
    shards = inputs.shards | {"F001": damaged}
    allowed = params.model_copy(update={"ingest": params.ingest.model_copy(update={"max_bad": 0.2})})
    manifest = rebuild((folder, allowed, inputs), tmp_path, shards=shards)
    lost = manifest[(manifest["sequence"] == "F001_T2") & manifest["labelled"]]
    assert lost["frame"].tolist() == [frame + 1 for frame in LABELLED]
    assert set(lost["status"]) == {"undecodable"}
    assert set(lost["row"]) == {NO_ROW}
    assert lost["AU01"].notna().all()
    with pytest.raises(ClefError, match=r"frames cannot be decoded, more than ingest.max_bad allows; most in F001_T2"):
        rebuild(toy, tmp_path, shards=shards)


def test_a_frame_labelled_twice_is_named(toy, tmp_path, monkeypatch):
    _, params, _ = toy
    read = type(open_dataset(params)).labels

    def twice(self, root, sequences):
        labels = read(self, root, sequences)
        return pd.concat([labels, labels.tail(1)], ignore_index=True)

    monkeypatch.setattr(type(open_dataset(params)), "labels", twice)
    with pytest.raises(ClefError, match=r"frame 12 of M003_T3 is labelled twice"):
        rebuild(toy, tmp_path)


def test_the_same_inputs_give_the_same_bytes(toy, tmp_path):
    _, params, inputs = toy
    assert make_toy(tmp_path, params).manifest.read_bytes() == inputs.manifest.read_bytes()


def test_how_far_it_is_is_told_a_shard_at_a_time(toy, tmp_path):
    _, _, inputs = toy
    told = []
    rebuild(toy, tmp_path, progress=lambda *counts: told.append(counts))
    assert told == [(done, len(inputs.shards)) for done in range(1, len(inputs.shards) + 1)]


def rebuild(toy, tmp_path, sequences=None, shards=None, progress=None):
    folder, params, inputs = toy
    listed = read_manifest(inputs.manifest).drop_duplicates("sequence")
    everything = [
        RecordedSequence("toy", r.sequence, r.subject, r.activity, None, r.subject, "video", f"{r.sequence}.mp4", 1)
        for r in listed.itertuples()
    ]
    return build_manifest(
        open_dataset(params),
        folder / "raw",
        sequences or everything,
        shards or inputs.shards,
        tmp_path / "m.parquet",
        progress,
    )


def test_other_pictures_make_another_manifest(toy, tmp_path):
    params = toy_params()
    make_toy(tmp_path, params)
    manifest = tmp_path / "manifest.parquet"
    before, frames = manifest.read_bytes(), read_manifest(manifest)
    make_toy(tmp_path, params, light=70)
    pd.testing.assert_frame_equal(read_manifest(manifest), frames)
    assert manifest.read_bytes() != before


def test_shards_of_two_crop_settings_do_not_mix(toy, tmp_path):
    _, _, inputs = toy
    other = tmp_path / "F001.arrow"
    write_shard(other, [pa.RecordBatch.from_pylist([], schema=SCHEMA)], {"size": 99})
    with pytest.raises(ClefError, match="expected one crop fingerprint"):
        rebuild(toy, tmp_path, shards=inputs.shards | {"F002": other})


def test_a_recording_without_rows_is_named(toy, tmp_path):
    _, _, inputs = toy
    with pytest.raises(ClefError, match="no rows for F001_T1"):
        rebuild(toy, tmp_path, shards={k: v for k, v in inputs.shards.items() if k != "F001"})


def test_labels_past_the_end_of_a_recording_are_named(toy, tmp_path):
    folder, _, _ = toy
    path = folder / "raw" / "AUCoding" / "AU_OCC" / "F002_T2.csv"
    text = path.read_text()
    last = text.rstrip().split("\n")[-1]
    try:
        path.write_text(text + ",".join(["900", *last.split(",")[1:]]) + "\n")
        with pytest.raises(
            ClefError, match=r"F002_T2 has a label for frame 900, which the recording has not \(1 such label in all\)"
        ):
            rebuild(toy, tmp_path)
    finally:
        path.write_text(text)


def test_labels_in_the_overhang_are_rows_that_cannot_be_decoded(toy, tmp_path):
    params = toy_params()
    params = params.model_copy(update={"ingest": params.ingest.model_copy(update={"frames_past_end": 2, "max_bad": 0.0})})
    inputs = make_toy(tmp_path, params)
    path = tmp_path / "raw" / "AUCoding" / "AU_OCC" / "F002_T2.csv"
    text = path.read_text().rstrip()
    codes = text.split("\n")[-1].partition(",")[2]
    path.write_text("\n".join([text, f"{FRAMES + 1},{codes}", f"{FRAMES + 2},{codes}"]))
    own = rebuild((tmp_path, params, inputs), tmp_path).query("sequence == 'F002_T2'").sort_values("frame")
    hanging = own[own["frame"] > FRAMES]
    assert hanging["frame"].tolist() == [FRAMES + 1, FRAMES + 2]
    assert hanging["labelled"].all()
    assert hanging["AU01"].tolist() == own.loc[own["frame"] == FRAMES, "AU01"].tolist() * 2
    assert set(hanging["status"]) == {"undecodable"}
    assert set(hanging["row"]) == {NO_ROW}
    less = params.model_copy(update={"ingest": params.ingest.model_copy(update={"frames_past_end": 1})})
    with pytest.raises(ClefError, match=rf"label for frame {FRAMES + 2}, which .* ingest\.frames_past_end allows 1 past"):
        rebuild((tmp_path, less, inputs), tmp_path)


@pytest.mark.parametrize("change", [{"file_size": 7}, {"frames": 7}, {"first_frame": 0}, {"source": "other.mp4"}])
def test_a_shard_that_was_cropped_from_other_recordings_is_named(toy, tmp_path, change):
    _, _, inputs = toy
    listed = read_manifest(inputs.manifest).drop_duplicates("sequence")
    sequences = [
        RecordedSequence("toy", r.sequence, r.subject, r.activity, None, r.subject, "video", f"{r.sequence}.mp4", 1)
        for r in listed.itertuples()
    ]
    assert len(rebuild(toy, tmp_path, sequences)) == len(read_manifest(inputs.manifest))
    changed = [replace(s, **change) if s.sequence == "F002_T2" else s for s in sequences]
    with pytest.raises(ClefError, match=r"F002\.arrow: cropped from other recordings of F002 than .* delete it"):
        rebuild(toy, tmp_path, changed)
