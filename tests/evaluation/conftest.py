"""Tables of a fold as training and the manifest give them, drawn at random with a known structure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from clef.params.schema import LabelParams


@dataclass(frozen=True)
class Tables:
    labels: LabelParams
    predictions: pd.DataFrame
    epochs: pd.DataFrame
    test_labels: pd.DataFrame
    train_labels: pd.DataFrame

    def but(self, **changes: object) -> "Tables":
        return replace(self, **changes)

    def parts(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, LabelParams]:
        return self.predictions, self.epochs, self.test_labels, self.train_labels, self.labels


ACTION_UNITS = LabelParams(action_units=[1, 6, 12])
RATES = {"T1": [0.1, 0.8, 0.6], "T2": [0.5, 0.2, 0.1], "T3": [0.3, 0.5, 0.9]}
EXPRESSIONS = LabelParams(kind="expressions", expressions=["happiness", "sadness", "fear"])


@pytest.fixture
def action_unit_tables() -> Callable[..., Tables]:
    return _action_unit_tables


@pytest.fixture
def expression_tables() -> Callable[..., Tables]:
    return _expression_tables


def _action_unit_tables(
    seed: int = 0, test: tuple[str, ...] = ("F001", "F002", "M001"), train: tuple[str, ...] = ("F003", "M002")
) -> Tables:
    """Three activities a subject, 30 frames each; some labels unknown, some frames without a crop."""
    people = np.random.default_rng(20)
    predicting = np.random.default_rng([21, seed])
    test_labels = _labelled(test, people)
    train_labels = _labelled(train, people)
    frames = len(test_labels)
    keys = test_labels[["dataset", "subject", "activity", "sequence", "frame"]].copy()
    keys["status"] = np.where(people.random(frames) < 0.1, "no_face", "detected")
    truth = test_labels[ACTION_UNITS.names].fillna(0.5).to_numpy()
    cropped = (keys["status"] == "detected").to_numpy()
    by_epoch = []
    for epoch, skill in enumerate((0.2, 0.6, 0.25), start=1):
        values = np.clip(0.4 * predicting.random(truth.shape) + skill * truth + 0.1, 0, 1).astype(np.float32)
        values[~cropped] = np.nan
        table = pd.concat([keys, pd.DataFrame(values, columns=_columns(ACTION_UNITS))], axis=1)
        by_epoch.append(table.assign(epoch=np.int16(epoch)))
    epochs = pd.concat([table[cropped] for table in by_epoch], ignore_index=True)
    return Tables(ACTION_UNITS, by_epoch[-1].drop(columns="epoch"), epochs, test_labels, train_labels)


def _labelled(subjects: tuple[str, ...], rng: np.random.Generator) -> pd.DataFrame:
    parts = []
    for subject in subjects:
        for activity, rates in RATES.items():
            present = (rng.random((30, 3)) < rates).astype(np.float32)
            present[rng.random(present.shape) < 0.1] = np.nan
            part = pd.DataFrame(present, columns=ACTION_UNITS.names)
            about = {"dataset": "bp4d", "subject": subject, "activity": activity}
            parts.append(part.assign(**about, sequence=f"{subject}_{activity}", frame=np.arange(1, 31)))
    return pd.concat(parts, ignore_index=True)


def _expression_tables(seed: int = 0, images: int = 200) -> Tables:
    """Single images of unnamed people; training has most sadness, the test set most happiness."""
    people = np.random.default_rng(30)
    predicting = np.random.default_rng([31, seed])
    names = np.array(EXPRESSIONS.names)
    truth = people.choice(3, size=images, p=[0.6, 0.3, 0.1])
    keys = pd.DataFrame({"dataset": "raf_db", "sequence": [f"test_{i:04d}" for i in range(images)]})
    keys = keys.assign(subject=None, activity=None, frame=0)
    keys["status"] = np.where(people.random(images) < 0.05, "no_face", "detected")
    cropped = (keys["status"] == "detected").to_numpy()
    by_epoch = []
    for epoch, skill in enumerate((0.5, 3.0, 1.0), start=1):
        logits = predicting.normal(size=(images, 3)) + skill * np.eye(3)[truth]
        values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        values[~cropped] = np.nan
        table = pd.DataFrame(values.astype(np.float32), columns=_columns(EXPRESSIONS))
        by_epoch.append(pd.concat([keys, table], axis=1).assign(epoch=np.int16(epoch)))
    epochs = pd.concat([table[cropped] for table in by_epoch], ignore_index=True)
    test_labels = keys[["sequence", "frame"]].assign(expression=names[truth])
    train_labels = pd.DataFrame({"expression": names[people.choice(3, size=300, p=[0.2, 0.7, 0.1])]})
    train_labels = train_labels.assign(sequence=[f"train_{i:05d}" for i in range(300)], frame=0, subject=None)
    return Tables(EXPRESSIONS, by_epoch[-1].drop(columns="epoch"), epochs, test_labels, train_labels)


def _columns(labels: LabelParams) -> list[str]:
    return [f"p_{name}" for name in labels.names]
