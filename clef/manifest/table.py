"""The manifest: one row for every input frame of a data set, with what became of it and its raw labels.

Columns `dataset, subject, activity, sequence, frame, split` say which frame it is; `status, faces, score` what cropping
made of it; `shard, row` where its crop is; `labelled` whether the data set labels it; the rest are raw label columns.
The crop fingerprint stands in the file's metadata.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clef.datasets.base import Dataset
from clef.errors import ClefError
from clef.faces.shard import open_shard, read_fingerprint, read_recordings, recordings_digest
from clef.ingest.labels import read_labels
from clef.manifest.folds import require_disjoint
from clef.recordings.sequence import NUMBERED, RecordedSequence
from clef.runtime.files import atomic_write, file_hash

NO_ROW = -1
"""`row` of a labelled frame that its recording does not have."""

_METADATA = b"clef.manifest.table"


def build_manifest(
    dataset: Dataset,
    root: Path,
    sequences: list[RecordedSequence],
    shards: dict[str, Path],
    target: Path,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Join the shards with the raw labels.

    Args:
        dataset: The adapter, which reads the labels.
        root: Folder of the raw data.
        sequences: Every recording, from `ingest`.
        shards: Path of each shard's crops by name.
        target: The parquet file to write.
        progress: Called with shards hashed and shards in all: the only part that reads every byte of them.

    Returns:
        The table written.

    Raises:
        ClefError: A subject on both sides of the official split that the run takes, shards of different crop settings
            or other recordings, a recording without rows, labels for frames that a sound recording does not have, or
            more undecodable frames than `ingest.max_bad` allows.
    """
    fingerprints = {name: read_fingerprint(path) for name, path in shards.items()}
    first = next(iter(fingerprints))
    for name, fingerprint in fingerprints.items():
        if fingerprint != fingerprints[first]:
            raise ClefError(
                f"{shards[name]}: cropped as {fingerprint}, but {shards[first]} as {fingerprints[first]}; "
                "expected one crop fingerprint: delete the older and run again"
            )
    for name, path in shards.items():
        if read_recordings(path) != recordings_digest(s for s in sequences if s.shard == name and not s.is_missing):
            raise ClefError(
                f"{path}: cropped from other recordings of {name} than are in {root} now: "
                "delete it and run the same command again"
            )
    frames = pd.concat([_shard_rows(name, path) for name, path in shards.items()], ignore_index=True)
    if dataset.params.folds.protocol == "official":
        _require_disjoint_splits(sequences)
    known = pd.DataFrame(
        [(s.dataset, s.subject, s.activity, s.sequence, s.split) for s in sequences],
        columns=["dataset", "subject", "activity", "sequence", "split"],
    )
    without_rows = sorted({s.sequence for s in sequences if not s.is_missing} - set(frames["sequence"]))
    if without_rows:
        raise ClefError(f"{target}: no rows for {', '.join(without_rows[:8])} in the shards; crop them again")
    labels = read_labels(dataset, root, sequences)
    label_columns = [column for column in labels.columns if column not in ("sequence", "frame")]
    frames = pd.concat([frames, _lost_frames(frames, labels, sequences)], ignore_index=True)
    _check_undecodable(frames, dataset.params.ingest.max_bad, root)
    overhang = dataset.params.ingest.overhang
    frames = pd.concat([frames, _hanging_frames(frames, labels, sequences, overhang)], ignore_index=True)
    manifest = frames.merge(known, on="sequence", how="left", validate="many_to_one")
    manifest = manifest.merge(labels, on=["sequence", "frame"], how="left", validate="one_to_one", indicator=True)
    manifest["labelled"] = manifest.pop("_merge") == "both"
    surplus = len(labels) - int(manifest["labelled"].sum())
    if surplus:
        pairs = labels.merge(frames[["sequence", "frame"]], how="left", indicator=True)
        example = pairs[pairs["_merge"] == "left_only"].iloc[0]
        raise ClefError(
            f"{root}: {example['sequence']} has a label for frame {example['frame']}, which the recording has not "
            f"({surplus} such {'label' if surplus == 1 else 'labels'} in all); "
            f"expected labels and frames of one recording; ingest.overhang allows {overhang} past a video's end"
        )
    for column in label_columns:
        if column != "expression":
            manifest[column] = manifest[column].astype("Int8")
    columns = ["dataset", "subject", "activity", "sequence", "frame", "split", "status", "faces", "score"]
    manifest = manifest[[*columns, "shard", "row", "labelled", *label_columns]]
    table = pa.Table.from_pandas(manifest, preserve_index=False)
    # With the shards' hashes in it, the manifest's own hash stands for labels and pictures alike.
    hashes = {}
    for done, (name, path) in enumerate(shards.items(), start=1):
        hashes[name] = file_hash(path)
        if progress is not None:
            progress(done, len(shards))
    meta = {"fingerprint": fingerprints[first], "labels": label_columns, "shards": hashes}
    table = table.replace_schema_metadata({_METADATA: json.dumps(meta, sort_keys=True).encode()})
    with atomic_write(target) as partial:
        pq.write_table(table, partial)
    return manifest


def _require_disjoint_splits(sequences: list[RecordedSequence]) -> None:
    subjects = {split: {s.subject for s in sequences if s.split == split} - {None} for split in ("train", "test")}
    require_disjoint(subjects["train"], subjects["test"])


def _lost_frames(frames: pd.DataFrame, labels: pd.DataFrame, sequences: list[RecordedSequence]) -> pd.DataFrame:
    """Rows for labelled frames that a damaged or missing recording, or a row of numbered images, has not: undecodable.

    Raises:
        ClefError: In most rows of numbered images the labels would fit the images if they were one off.
    """
    lost = _without_row(frames, labels)
    numbered = [s.sequence for s in sequences if s.kind in NUMBERED]
    _check_numbering(frames, labels, lost[lost["sequence"].isin(numbered)])
    damaged = frames.loc[frames["status"] == "undecodable", "sequence"]
    absent = [s.sequence for s in sequences if s.is_missing]
    return _undecodable(lost[lost["sequence"].isin({*damaged, *numbered, *absent})], sequences)


def _hanging_frames(
    frames: pd.DataFrame, labels: pd.DataFrame, sequences: list[RecordedSequence], overhang: int
) -> pd.DataFrame:
    """Rows for labelled frames up to `overhang` past the end of their video; what allows them is not `max_bad`."""
    lost = _without_row(frames, labels)
    last = frames.groupby("sequence")["frame"].max().rename("last")
    past = lost["frame"] - lost.join(last, on="sequence")["last"]
    videos = [s.sequence for s in sequences if s.kind == "video"]
    return _undecodable(lost[lost["sequence"].isin(videos) & past.between(1, overhang)], sequences)


def _without_row(frames: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Labelled frames, `sequence` and `frame`, that the shards have no row of."""
    pairs = labels[["sequence", "frame"]].merge(frames[["sequence", "frame"]], how="left", indicator=True)
    return pairs.loc[pairs["_merge"] == "left_only", ["sequence", "frame"]]


def _undecodable(lost: pd.DataFrame, sequences: list[RecordedSequence]) -> pd.DataFrame:
    rows = lost.assign(status="undecodable", row=NO_ROW)
    rows["shard"] = rows["sequence"].map({s.sequence: s.shard for s in sequences})
    return rows.astype({"frame": "int32", "row": "int32"})


def _check_numbering(frames: pd.DataFrame, labels: pd.DataFrame, lost: pd.DataFrame) -> None:
    """Refuse labels that are off by one from the images: scattered gaps do not close by a shift, a wrong count does."""
    suspects = set(lost["sequence"])
    labelled = labels.loc[labels["sequence"].isin(suspects), ["sequence", "frame"]]
    for shift in (-1, 1):
        moved = labelled.assign(frame=labelled["frame"] + shift)
        missing = moved.merge(frames[["sequence", "frame"]], how="left", indicator=True).query("_merge == 'left_only'")
        fitting = suspects - set(missing["sequence"])
        if len(fitting) > labels["sequence"].nunique() / 2:
            raise ClefError(
                f"{len(fitting)} recordings, such as {min(fitting)}, lack images for labels and would not if they "
                f"were numbered {'higher' if shift < 0 else 'lower'} by one: set dataset.options.first_image"
            )


def _check_undecodable(frames: pd.DataFrame, max_bad: float, root: Path) -> None:
    undecodable = frames[frames["status"] == "undecodable"]
    if len(undecodable) > max_bad * len(frames):
        counts = undecodable.groupby("sequence").size().sort_values(ascending=False)
        worst = ", ".join(f"{sequence} ({count})" for sequence, count in counts.head(8).items())
        raise ClefError(
            f"{root}: {len(undecodable)} of {len(frames)} frames cannot be decoded, more than ingest.max_bad allows; "
            f"most in {worst}: mend or remove these recordings"
        )


def _shard_rows(name: str, path: Path) -> pd.DataFrame:
    rows = open_shard(path).select(["sequence", "frame", "status", "faces", "score"]).to_pandas()
    rows["faces"] = rows["faces"].astype("Int16")
    rows["shard"] = name
    rows["row"] = range(len(rows))
    return rows.astype({"row": "int32"})


def read_manifest(
    path: Path, columns: list[str] | None = None, filters: list[tuple[str, str, object]] | None = None
) -> pd.DataFrame:
    """Read the manifest, or the columns and rows of it that are asked for and no others.

    Raises:
        ClefError: The file is missing or no manifest, or has no such column.
    """
    there = _schema(path).names
    missing = sorted({*(columns or []), *(name for name, _, _ in filters or [])} - set(there))
    if missing:
        raise ClefError(f"{path}: no column {', '.join(missing)}; expected a manifest of this run; build it again")
    return pq.read_table(path, columns=columns, filters=filters).to_pandas()


def manifest_columns(path: Path) -> list[str]:
    """Names of the manifest's columns.

    Raises:
        ClefError: The file is missing or no manifest.
    """
    return list(_schema(path).names)


def manifest_fingerprint(path: Path) -> dict[str, object]:
    """The crop fingerprint that every crop of this manifest has.

    Raises:
        ClefError: The file is missing or no manifest.
    """
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
