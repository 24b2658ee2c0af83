"""Random tables of a fold, shaped like those that training and the manifest provide."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clef.evaluation.fold.join_labels import FoldArrays, join_labels
from clef.evaluation.fold.score_fold import score_fold
from clef.params.schema import EvaluateParams, LabelParams

ACTION_UNITS = LabelParams(action_units=[1, 6, 12])
RATES = {"T1": [0.1, 0.8, 0.6], "T2": [0.5, 0.2, 0.1], "T3": [0.3, 0.5, 0.9]}
EXPRESSIONS = LabelParams(kind="expressions", expressions=["happiness", "sadness", "fear"])
FOLDS = [(("F001", "F002", "F003"), ("M001", "M002")), (("M001", "M002"), ("F001", "F002", "F003"))]


@dataclass(frozen=True)
class Tables:
    labels: LabelParams
    predictions: pd.DataFrame
    epochs: pd.DataFrame
    test_labels: pd.DataFrame
    train_labels: pd.DataFrame

    def changed(self, **changes: object) -> "Tables":
        return replace(self, **changes)

    def arrays(self) -> FoldArrays:
        return join_labels(self.predictions, self.epochs, self.test_labels, self.train_labels, self.labels)

    def score(self, **settings: object) -> dict[str, Any]:
        """Score as seed 0 and fold 0."""
        tables = self.predictions, self.epochs, self.test_labels, self.train_labels
        return score_fold(*tables, self.labels, EvaluateParams(**settings)) | {"seed": 0, "fold": 0}


@pytest.fixture
def tables() -> Tables:
    return action_unit_tables()


@pytest.fixture
def metrics() -> list[dict[str, Any]]:
    """Three seeds of two folds with action units."""
    return [
        action_unit_tables(seed, *subjects).score() | {"seed": seed, "fold": fold}
        for seed in (0, 1, 2)
        for fold, subjects in enumerate(FOLDS)
    ]


def action_unit_tables(
    seed: int = 0, test: tuple[str, ...] = ("F001", "F002", "M001"), train: tuple[str, ...] = ("F003", "M002")
) -> Tables:
    """Three activities per subject, 30 frames each; some labels are unknown, some frames have no crop."""
    labelling = np.random.default_rng(20)
    predicting = np.random.default_rng([21, seed])
    test_labels = _labelled(test, labelling)
    train_labels = _labelled(train, labelling)
    keys = test_labels[["dataset", "subject", "activity", "sequence", "frame"]].copy()
    keys["status"] = np.where(labelling.random(len(test_labels)) < 0.1, "no_face", "detected")
    truth = test_labels[ACTION_UNITS.names].fillna(0.5).to_numpy()

    def predict(skill: float) -> np.ndarray:
        return np.clip(0.4 * predicting.random(truth.shape) + skill * truth + 0.1, 0, 1)

    return _tables(ACTION_UNITS, keys, [predict(skill) for skill in (0.2, 0.6, 0.25)], test_labels, train_labels)


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


def expression_tables(seed: int = 0) -> Tables:
    """Single images of unnamed people. The most frequent class is sadness in training and happiness in the test."""
    labelling = np.random.default_rng(30)
    predicting = np.random.default_rng([31, seed])
    names, images = np.array(EXPRESSIONS.names), 200
    truth = labelling.choice(3, size=images, p=[0.6, 0.3, 0.1])
    keys = pd.DataFrame({"dataset": "raf_db", "sequence": [f"test_{i:04d}" for i in range(images)]})
    keys = keys.assign(subject=None, activity=None, frame=0)
    keys["status"] = np.where(labelling.random(images) < 0.05, "no_face", "detected")

    def predict(skill: float) -> np.ndarray:
        odds = np.exp(predicting.normal(size=(images, 3)) + skill * np.eye(3)[truth])
        return odds / odds.sum(axis=1, keepdims=True)

    test_labels = keys[["sequence", "frame"]].assign(expression=names[truth])
    train_labels = pd.DataFrame({"expression": names[labelling.choice(3, size=300, p=[0.2, 0.7, 0.1])]})
    train_labels = train_labels.assign(sequence=[f"train_{i:05d}" for i in range(300)], frame=0, subject=None)
    return _tables(EXPRESSIONS, keys, [predict(skill) for skill in (0.5, 3.0, 1.0)], test_labels, train_labels)


def _tables(labels: LabelParams, keys: pd.DataFrame, by_epoch: list[np.ndarray], *known: pd.DataFrame) -> Tables:
    """Epochs 1, 2, ...; the last one gives the predictions."""
    cropped = keys["status"] == "detected"
    tables = []
    for epoch, values in enumerate(by_epoch, start=1):
        values[~cropped] = np.nan
        probabilities = pd.DataFrame(values, columns=[f"p_{name}" for name in labels.names], dtype=np.float32)
        tables.append(pd.concat([keys, probabilities], axis=1).assign(epoch=np.int16(epoch)))
    epochs = pd.concat([table[cropped] for table in tables], ignore_index=True)
    return Tables(labels, tables[-1].drop(columns="epoch"), epochs, *known)
