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


@pytest.fixture
def rebuild(toy, tmp_path):
    """A function that builds the manifest of the toy again, with changes."""
    folder, params, inputs = toy
    listed = read_manifest(inputs.manifest).drop_duplicates("sequence")
    sequences = [
        RecordedSequence("toy", r.sequence, r.subject, r.activity, None, r.subject, "video", f"{r.sequence}.mp4", 1)
        for r in listed.itertuples()
    ]
    labels = open_dataset(params).labels(folder / "raw", sequences)

    def build(change=None, more_labels=(), shards=None, progress=None, **ingest) -> pd.DataFrame:
        changed = params.model_copy(update={"ingest": params.ingest.model_copy(update=ingest)})
        own = [replace(s, **change) if change and s.sequence == "F002_T2" else s for s in sequences]
        extra = [labels[labels["sequence"] == "F002_T2"].tail(1).assign(frame=frame) for frame in more_labels]
        table = pd.concat([labels, *extra], ignore_index=True).astype({"frame": "int32"})
        target = tmp_path / "m.parquet"
        return build_manifest(open_dataset(changed), own, table, inputs.shards | (shards or {}), target, progress)

    return build


def test_every_frame_has_a_row_with_keys_and_raw_codes(toy):
    _, _, inputs = toy
    manifest = read_manifest(inputs.manifest)
    assert len(manifest) == SUBJECTS * 3 * FRAMES
    assert not manifest.duplicated(["dataset", "sequence", "frame"]).any()
    assert (manifest["sequence"] == manifest["subject"] + "_" + manifest["activity"]).all()
    assert (manifest["status"] == "no_face").sum() == SUBJECTS * 3
    assert set(manifest.loc[manifest["labelled"], "frame"]) == {frame + 1 for frame in LABELLED}
    assert manifest.loc[~manifest["labelled"], "AU01"].isna().all()
    assert set(manifest.loc[manifest["labelled"], "AU01"]) == {0, 1}
    assert manifest_fingerprint(inputs.manifest)["size"] == 40


@pytest.mark.parametrize("content", [None, b"", b"PAR1 or so", b"PAR1" + bytes(40) + b"PAR1"])
@pytest.mark.parametrize("read", [read_manifest, manifest_fingerprint])
def test_error_for_a_file_that_is_not_a_manifest_is_one_line(content, read, tmp_path):
    path = tmp_path / "manifest.parquet"
    if content is not None:
        path.write_bytes(content)
    expected = r"manifest\.parquet: .*; expected a manifest; make it with `clef man"
    with pytest.raises(ClefError, match=expected) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_table_without_fingerprint_or_column_is_refused(toy, tmp_path):
    _, _, inputs = toy
    pd.DataFrame({"subject": ["F001"]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ClefError, match=r"other\.parquet: no fingerprint inside; expected a manifest"):
        manifest_fingerprint(tmp_path / "other.parquet")
    with pytest.raises(ClefError, match=r"no column AU39, valence; expected a manifest of this run"):
        read_manifest(inputs.manifest, ["subject", "AU39", "valence"])


def test_labelled_frames_of_a_damaged_recording_are_rows_and_count(toy, rebuild, tmp_path):
    whole = toy[2].shards["F001"]
    kept = [row for row in open_shard(whole).to_pylist() if row["sequence"] != "F001_T2"]
    kept.append({"sequence": "F001_T2", "frame": 1, "status": "undecodable"})
    batch = pa.RecordBatch.from_pylist(kept, schema=SCHEMA)
    damaged = tmp_path / "F001.arrow"
    write_shard(damaged, [batch], read_fingerprint(whole), read_recordings(whole))
    manifest = rebuild(shards={"F001": damaged}, max_bad=0.2)
    lost = manifest[(manifest["sequence"] == "F001_T2") & manifest["labelled"]]
    assert lost["frame"].tolist() == [frame + 1 for frame in LABELLED]
    assert set(lost["status"]) == {"undecodable"}
    assert set(lost["row"]) == {NO_ROW}
    assert lost["AU01"].notna().all()
    with pytest.raises(ClefError, match=r"frames cannot be decoded, more than ingest.max_bad allows; most in F001_T2"):
        rebuild(shards={"F001": damaged})


def test_same_inputs_give_the_same_bytes_and_other_pictures_others(toy, tmp_path):
    _, params, inputs = toy
    again = make_toy(tmp_path, params).manifest
    assert again.read_bytes() == inputs.manifest.read_bytes()
    make_toy(tmp_path, params, light=70)
    pd.testing.assert_frame_equal(read_manifest(again), read_manifest(inputs.manifest))
    assert again.read_bytes() != inputs.manifest.read_bytes()


def test_shard_with_other_crop_settings_or_without_rows_is_refused(toy, rebuild, tmp_path):
    whole, other = toy[2].shards["F001"], tmp_path / "F001.arrow"
    empty = [pa.RecordBatch.from_pylist([], schema=SCHEMA)]
    write_shard(other, empty, {"size": 99}, read_recordings(whole))
    with pytest.raises(ClefError, match="expected one crop fingerprint"):
        rebuild(shards={"F001": other})
    write_shard(other, empty, read_fingerprint(whole), read_recordings(whole))
    with pytest.raises(ClefError, match="no rows for F001_T1, F001_T2, F001_T3 in the shards"):
        rebuild(shards={"F001": other})


@pytest.mark.parametrize("change", [{"file_size": 7}, {"frames": 7}, {"first_frame": 0}, {"source": "other.mp4"}])
def test_shard_cropped_from_other_recordings_is_refused(rebuild, change):
    with pytest.raises(ClefError, match=r"F002\.arrow: cropped from other recordings of F002 than .* delete it"):
        rebuild(change)


def test_labels_past_the_end_are_undecodable_rows_up_to_frames_past_end(rebuild):
    manifest = rebuild(more_labels=(FRAMES + 1, FRAMES + 2), frames_past_end=2, max_bad=0.0)
    own = manifest.query("sequence == 'F002_T2'").sort_values("frame")
    late = own[own["frame"] > FRAMES]
    assert late["frame"].tolist() == [FRAMES + 1, FRAMES + 2]
    assert late["labelled"].all()
    assert late["AU01"].tolist() == own.loc[own["frame"] == FRAMES, "AU01"].tolist() * 2
    assert set(late["status"]) == {"undecodable"}
    assert set(late["row"]) == {NO_ROW}
    expected = (
        rf"F002_T2 has a label for frame {FRAMES + 2}, which the recording does not have \(1 such label in all\); "
        r".* ingest\.frames_past_end allows 1 past"
    )
    with pytest.raises(ClefError, match=expected):
        rebuild(more_labels=(FRAMES + 1, FRAMES + 2), frames_past_end=1)
