"""What is needed to repeat a run, from the files beside the weights of its trainings."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from clef.params.schema import LabelParams
from clef.plots.training_curves import STAGES
from clef.reports.table import Table
from clef.runtime.progress import duration
from clef.tracking.record import Record, read_record, record_path
from clef.tracking.run_description import as_text
from clef.training.metrics_file import MetricsFile

NAMES = STAGES | {"inner": "stage 2 without the held-out subjects"}
UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Training:
    """One training, as far as its files exist."""

    stage: str
    sidecar: dict[str, Any]
    """The JSON beside the weights; empty if it is missing."""
    record: Record | None
    seconds: float | None

    def tag(self, name: str) -> str | None:
        """A tag of its record, such as `git` or `version.torch`."""
        return None if self.record is None else self.record.run.tags.get(name)


def read_trainings(folds: Sequence[Path], stage1_folds: Sequence[Path]) -> list[Training]:
    """The trainings of a run by stage, and those of the stage 1 that it starts from."""
    found = [
        _read(folder / f"{stage}.safetensors", stage)
        for stage, folders in (("pretrain", stage1_folds), ("inner", folds), ("finetune", folds))
        for folder in folders
    ]
    return [training for training in found if training.sidecar]


def training_table(trainings: Sequence[Training]) -> Table:
    """Devices and times of each stage."""
    rows = []
    for stage, name in NAMES.items():
        own = [training for training in trainings if training.stage == stage]
        if not own:
            continue
        seconds = [training.seconds for training in own if training.seconds is not None]
        times = [duration(value) for value in (median(seconds), sum(seconds))] if seconds else [UNKNOWN] * 2
        steps = [str(round(median(training.sidecar["steps"] for training in own)))]
        rows.append([name, str(len(own)), _distinct(training.tag("device") for training in own), *steps, *times])
    columns = ["", "trainings", "device", "steps each", "time each", "time in all"]
    caption = "Trainings. Each time is a median; the pause before a training was last resumed does not count."
    return Table(caption, columns, rows, "lrlrrr")


def facts(trainings: Sequence[Training]) -> dict[str, str]:
    """Code, data, weights and versions. Values that differ between trainings are all listed."""
    last = [training for training in trainings if training.stage == "finetune"]
    return {
        "commit": _distinct(map(_commit, trainings)),
        "SHA-256 of the package's code": _distinct(training.sidecar.get("package") for training in trainings),
        "versions": _distinct(map(_versions, trainings)),
        "SHA-256 of the manifest, which covers crops and labels": _distinct(t.sidecar.get("manifest") for t in last),
        "fingerprint of the crops": _distinct(_plain(training.sidecar.get("fingerprint")) for training in trainings),
        "SHA-256 of the pretrained weights": _distinct(t.sidecar.get("pretrained") or "none" for t in trainings),
    }


def texts_table(trainings: Sequence[Training]) -> Table | None:
    """The texts that stage 2 matched images with in training; None for a head without texts or without a sidecar."""
    sidecar = next((training.sidecar for training in trainings if training.stage == "finetune"), {})
    if "label_texts" not in sidecar or sidecar["finetune"]["head"] != "text":
        return None
    labels = LabelParams.model_validate(sidecar["labels"]).names  # a zero-shot run tests others
    rows = [[label, *texts] for label, texts in zip(labels, sidecar["label_texts"], strict=True)]
    templates = {key: [value] if isinstance(value, str) else value for key, value in sidecar["templates"].items()}
    lines = [f"{key}: {', '.join(f'“{template}”' for template in own)}" for key, own in templates.items()]
    caption = f"Texts of the labels, and the templates that they are put into ({'; '.join(lines)})."
    return Table(caption, ["", "name", "description"], rows, "lll")


def _read(weights: Path, stage: str) -> Training:
    record = read_record(record_path(weights))
    try:
        sidecar = dict(json.loads(weights.with_suffix(".json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        sidecar = {}
    return Training(stage, sidecar, record, None if record is None else _seconds(weights, record))


def _seconds(weights: Path, record: Record) -> float | None:
    """Seconds of training; a pause before an earlier interruption than the last one counts as training."""
    if record.ended is None:
        return None
    if record.resumed == record.started:
        return record.ended - record.started
    try:
        times = [point["time"] for point in MetricsFile(weights.with_suffix(".metrics.jsonl")).read()]
    except (OSError, ValueError, TypeError, KeyError):  # damaged; the training plot warns of it
        return None
    before = max((time for time in times if time < record.resumed), default=record.started)
    return before - record.started + record.ended - record.resumed


def _commit(training: Training) -> str | None:
    commit = training.tag("git")
    return f"{commit}, with uncommitted changes" if training.tag("git.dirty") == "true" else commit


def _versions(training: Training) -> str | None:
    tags = {} if training.record is None else training.record.run.tags
    versions = {name.removeprefix("version."): value for name, value in tags.items() if name.startswith("version.")}
    return _plain(versions) or None


def _plain(values: dict[str, Any] | None) -> str:
    """Nested values as one line, such as `detector (name lbp, weights none), size 72`."""
    parts = []
    for name, value in sorted((values or {}).items()):
        parts.append(f"{name} ({_plain(value)})" if isinstance(value, dict) else f"{name} {as_text(value)}")
    return ", ".join(parts)


def _distinct(values: Iterator[str | None] | map) -> str:
    """The different values, in order; those that are not recorded are left out."""
    return "; ".join(dict.fromkeys(value for value in values if value)) or UNKNOWN
