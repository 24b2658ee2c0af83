"""The manifest: one row for every input frame of a data set, with its crop and its raw labels.

Columns `dataset, subject, activity, sequence, frame, split` identify the frame; `time` is its presentation time in
seconds since the start of a video; `status, faces, score` come from cropping; `shard, row` locate the crop; `labelled`
says whether the data set labels the frame; the others are raw label columns. The crop fingerprint is in the file's
metadata.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clef.datasets.base import Dataset
from clef.errors import ClefError, abbreviate
from clef.faces.shard import open_shard, read_fingerprint, read_recordings, recordings_digest
from clef.manifest.folds import require_disjoint
from clef.recordings.sequence import NUMBERED, RecordedSequence
from clef.runtime.files import atomic_write, file_hash

NO_ROW = -1
"""`row` of a labelled frame that its recording does not have."""

_METADATA = b"clef.manifest"


def build_manifest(
    dataset: Dataset,
    sequences: list[RecordedSequence],
    labels: pd.DataFrame,
    shards: dict[str, Path],
    target: Path,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Join the shards with the recordings and labels of `ingest`, and write and return the table.

    `progress` gets the numbers of shards hashed and of all shards: only hashing reads every byte of them.

    Raises:
        ClefError: A subject is on both sides of the official split used by the run; the shards have different crop
            settings, come from other recordings or lack one; labels do not fit the decoded frames; or more frames are
            undecodable than `ingest.max_bad` allows.
    """
    fingerprint = _common_fingerprint(shards)
    for name, path in shards.items():
        if read_recordings(path) != recordings_digest(s for s in sequences if s.shard == name and not s.is_missing):
            raise ClefError(
                f"{path}: cropped from other recordings of {name} than `clef ingest` listed; "
                "delete it and run the same command again"
            )
    if dataset.params.folds.protocol == "official":
        subjects = {split: {s.subject for s in sequences if s.split == split} - {None} for split in ("train", "test")}
        require_disjoint(subjects["train"], subjects["test"])
    frames = pd.concat([_shard_rows(name, path) for name, path in shards.items()], ignore_index=True)
    without_rows = sorted({s.sequence for s in sequences if not s.is_missing} - set(frames["sequence"]))
    if without_rows:
        raise ClefError(f"{target}: no rows for {abbreviate(without_rows)} in the shards; crop them again")
    manifest = _join(dataset, _add_lost_frames(dataset, frames, labels, sequences), labels, sequences)
    label_columns = [column for column in labels.columns if column not in ("sequence", "frame")]
    for column in label_columns:
        if column != "expression":
            manifest[column] = manifest[column].astype("Int8")
    columns = ["dataset", "subject", "activity", "sequence", "frame", "split", "time", "status", "faces", "score"]
    manifest = manifest[[*columns, "shard", "row", "labelled", *label_columns]]
    table = pa.Table.from_pandas(manifest, preserve_index=False)
    # With the shards' hashes in the file, its own hash covers labels and pictures.
    hashes = {}
    for done, (name, path) in enumerate(shards.items(), start=1):
        hashes[name] = file_hash(path)
        if progress is not None:
            progress(done, len(shards))
    meta = {"fingerprint": fingerprint, "labels": label_columns, "shards": hashes}
    table = table.replace_schema_metadata({_METADATA: json.dumps(meta, sort_keys=True).encode()})
    with atomic_write(target) as partial:
        pq.write_table(table, partial)
    return manifest


def _common_fingerprint(shards: dict[str, Path]) -> dict[str, object]:
    fingerprints = {name: read_fingerprint(path) for name, path in shards.items()}
    first = next(iter(fingerprints))
    for name, fingerprint in fingerprints.items():
        if fingerprint != fingerprints[first]:
            raise ClefError(
                f"{shards[name]}: cropped as {fingerprint}, but {shards[first]} as {fingerprints[first]}; "
                "expected one crop fingerprint: delete the older and run again"
            )
    return fingerprints[first]


def _shard_rows(name: str, path: Path) -> pd.DataFrame:
    rows = open_shard(path).select(["sequence", "frame", "time", "status", "faces", "score"]).to_pandas()
    rows["faces"] = rows["faces"].astype("Int16")
    return rows.assign(shard=name, row=range(len(rows))).astype({"row": "int32"})


def _add_lost_frames(
    dataset: Dataset, frames: pd.DataFrame, labels: pd.DataFrame, sequences: list[RecordedSequence]
) -> pd.DataFrame:
    """Add undecodable rows for labelled frames without a row in the shards.

    Damaged and missing recordings and numbered images can lack frames, which count towards `ingest.max_bad`. Labels of
    any video can reach past its end by `ingest.frames_past_end` frames, which do not count.
    """
    pairs = labels[["sequence", "frame"]].merge(frames[["sequence", "frame"]], how="left", indicator=True)
    lost = pairs.loc[pairs["_merge"] == "left_only", ["sequence", "frame"]]
    damaged = frames.loc[frames["status"] == "undecodable", "sequence"]
    can_lack = {s.sequence for s in sequences if s.kind in NUMBERED or s.is_missing}
    lacking = lost["sequence"].isin({*damaged, *can_lack})
    last = frames.groupby("sequence")["frame"].max().rename("last")
    past = lost["frame"] - lost.join(last, on="sequence")["last"]
    videos = [s.sequence for s in sequences if s.kind == "video"]
    late = ~lacking & lost["sequence"].isin(videos) & past.between(1, dataset.params.ingest.frames_past_end)
    rows = lost.assign(status="undecodable", row=NO_ROW)
    rows["shard"] = rows["sequence"].map({s.sequence: s.shard for s in sequences})
    rows = rows.astype({"frame": "int32", "row": "int32"})
    frames = pd.concat([frames, rows[lacking]], ignore_index=True)
    undecodable = frames[frames["status"] == "undecodable"]  # only cropping decodes all frames
    if len(undecodable) > dataset.params.ingest.max_bad * len(frames):
        counts = undecodable.groupby("sequence").size().sort_values(ascending=False)
        worst = abbreviate([f"{sequence} ({count})" for sequence, count in counts.items()])
        raise ClefError(
            f"{dataset.name}: {len(undecodable)} of {len(frames)} frames cannot be decoded, more than ingest.max_bad "
            f"allows; most in {worst}: repair or remove these recordings"
        )
    return pd.concat([frames, rows[late]], ignore_index=True)


def _join(
    dataset: Dataset, frames: pd.DataFrame, labels: pd.DataFrame, sequences: list[RecordedSequence]
) -> pd.DataFrame:
    """Add the columns of the recordings and the labels to the frames."""
    known = pd.DataFrame(
        [(s.dataset, s.subject, s.activity, s.sequence, s.split) for s in sequences],
        columns=["dataset", "subject", "activity", "sequence", "split"],
    )
    manifest = frames.merge(known, on="sequence", how="left", validate="many_to_one")
    manifest = manifest.merge(labels, on=["sequence", "frame"], how="left", validate="one_to_one", indicator=True)
    manifest["labelled"] = manifest.pop("_merge") == "both"
    surplus = len(labels) - int(manifest["labelled"].sum())
    if surplus:
        pairs = labels.merge(frames[["sequence", "frame"]], how="left", indicator=True)
        example = pairs[pairs["_merge"] == "left_only"].iloc[0]
        raise ClefError(
            f"{dataset.name}: {example['sequence']} has a label for frame {example['frame']}, which the recording does "
            f"not have ({surplus} such {'label' if surplus == 1 else 'labels'} in all); expected labels and frames of "
            f"one recording; ingest.frames_past_end allows {dataset.params.ingest.frames_past_end} past a video's end"
        )
    return manifest


def read_manifest(
    path: Path, columns: list[str] | None = None, filters: list[tuple[str, str, object]] | None = None
) -> pd.DataFrame:
    """Read the manifest, or only the requested columns and rows."""
    missing = sorted({*(columns or []), *(name for name, _, _ in filters or [])} - set(manifest_columns(path)))
    if missing:
        raise ClefError(f"{path}: no column {', '.join(missing)}; expected a manifest of this run; build it again")
    return pq.read_table(path, columns=columns, filters=filters).to_pandas()


def manifest_columns(path: Path) -> list[str]:
    """Names of the manifest's columns."""
    return list(_schema(path).names)


def manifest_fingerprint(path: Path) -> dict[str, object]:
    """Return the fingerprint of all crops in this manifest."""
    metadata = _schema(path).metadata or {}
    if _METADATA not in metadata:
        raise ClefError(f"{path}: no fingerprint inside; expected a manifest; make it with `clef manifest`")
    return json.loads(metadata[_METADATA])["fingerprint"]


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowInvalid) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else " ".join(str(error).split())
        raise ClefError(f"{path}: {reason}; expected a manifest; make it with `clef manifest`") from None
