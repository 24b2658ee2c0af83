"""A tiny data set for tests of training: the demo's layout, and crops with three squares, one per action unit."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from clef.datasets import open_dataset
from clef.demo.behaviour import ACTION_UNITS
from clef.faces.fingerprint import crop_fingerprint
from clef.faces.shard import SCHEMA, recordings_digest, write_shard
from clef.manifest.folds import make_folds
from clef.manifest.table import build_manifest
from clef.params.schema import Params
from clef.recordings.sequence import RecordedSequence
from clef.training.inputs import Inputs

SUBJECTS = 6
FRAMES = 12
LABELLED = range(4, 12)
SHOWN = (1, 4, 12)


def toy_params(**changes) -> Params:
    values = {
        "dataset": {"adapter": "demo", "name": "toy"},
        "render": {"kind": "videos", "subjects": SUBJECTS, "activities": 3},
        "seeds": [0],
        "device": "cpu",
        "threads": 1,
        "crop": {"detector": "none", "size": 40},
        "labels": {"action_units": list(SHOWN)},
        "model": {"name": "clef-tiny", "image_size": 32},
        "pretrain": {
            "subjects": 3,
            "activities": 3,
            "stride": 1,
            "epochs": 1,
            "optimiser": {"lr_image": 1e-3, "lr_text": 1e-4},
        },
        "finetune": {
            "batch": 16,
            "epochs": 3,
            "optimiser": {"lr_image": 2e-3, "lr_text": 1e-4, "layer_decay": 1.0},
            "augment": {"rotation": 0, "scale": [1, 1], "shift": 0, "flip": 0, "grey": 0, "blur": 0},
        },
        "evaluate": {"bootstrap": 50},
        "tracking": {"mlflow": False},
    }
    for name, change in changes.items():
        values[name] = values[name] | change if isinstance(change, dict) and name in values else change
    return Params.model_validate(values)


def make_toy(
    folder: Path,
    params: Params,
    flip_labels_of: tuple[str, ...] = (),
    shuffle_labels_of: tuple[str, ...] = (),
    light: int = 60,
) -> Inputs:
    """Write raw labels, shards and manifest.

    `flip_labels_of`: subjects whose labels are inverted; `shuffle_labels_of`: subjects whose labels are those of other
    frames of the clip; `light`: grey level of the background.
    """
    dataset = open_dataset(params)
    fingerprint = crop_fingerprint(params.crop, {"name": "none"})
    sequences, shards = [], {}
    for number, subject in enumerate(dataset.subjects()):
        rows = []
        for activity in ("T1", "T2", "T3"):
            name = f"{subject}_{activity}"
            sequences.append(
                RecordedSequence(dataset.name, name, subject, activity, None, subject, "video", f"{name}.mp4", 1)
            )
            shown = np.random.default_rng([number, int(activity[1])]).integers(0, 2, (FRAMES, len(SHOWN)))
            rows += [_row(name, frame, shown[frame], light + 15 * number) for frame in range(FRAMES)]
            labels = 1 - shown if subject in flip_labels_of else shown
            if subject in shuffle_labels_of:
                labels = np.random.default_rng([number, int(activity[1]), 1]).permutation(shown)
            _write_labels(folder / "raw" / "AUCoding" / "AU_OCC" / f"{name}.csv", labels)
        shards[subject] = folder / f"{subject}.arrow"
        own = recordings_digest(sequence for sequence in sequences if sequence.shard == subject)
        write_shard(shards[subject], [pa.RecordBatch.from_pylist(rows, schema=SCHEMA)], fingerprint, own)
    manifest = folder / "manifest.parquet"
    build_manifest(dataset, sequences, dataset.labels(folder / "raw", sequences), shards, manifest)
    return Inputs(manifest, shards)


def toy_fold(params: Params, number: int = 0):
    return make_folds(open_dataset(params))[number]


def _row(sequence: str, frame: int, shown: np.ndarray, light: int) -> dict[str, object]:
    row: dict[str, object] = {"sequence": sequence, "frame": frame + 1, "status": "detected", "faces": 1}
    if frame == FRAMES - 1:  # the last frame of each clip is labelled, but has no face
        return row | {"status": "no_face", "faces": 0}
    image = np.full((40, 40, 3), light, np.uint8)
    corners = [(slice(2, 16), slice(2, 16)), (slice(2, 16), slice(24, 38)), (slice(24, 38), slice(8, 32))]
    for present, corner in zip(shown, corners, strict=True):
        image[corner] = 230 if present else 20
    return row | {"crop": cv2.imencode(".jpg", image)[1].tobytes()}


def _write_labels(path: Path, labels: np.ndarray) -> None:
    lines = [",".join(map(str, range(100)))]
    for frame in LABELLED:
        codes = dict.fromkeys(range(1, 99), 9) | dict.fromkeys(ACTION_UNITS, 0) | {99: 0}
        codes |= {au: int(value) for au, value in zip(SHOWN, labels[frame], strict=True)}
        lines.append(",".join(str(value) for value in (frame + 1, *(codes[n] for n in range(1, 100)))))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
