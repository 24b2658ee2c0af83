"""Paths of the workflow's files, relative to the checkout.

Arguments may also be wildcards, such as `"{run}"` in a rule or `"*"` in a glob pattern.
"""

import os
from pathlib import Path

RAW = Path("data/raw")
INTERIM = Path("data/interim")
PROCESSED = Path("data/processed")
RESULTS = Path("results")
WEIGHTS = Path("weights")  # of face detectors and models


def raw_folder(dataset: str) -> Path:
    """Raw files of a data set, as its publisher ships them."""
    return RAW / dataset


def link_target(path: Path) -> Path | None:
    """Where a path leads if it is a link or behind one, whether or not the target exists; None if it is neither."""
    target = Path(os.path.realpath(path))
    return None if target == Path(os.path.abspath(path)) else target


def interim_folder(dataset: str) -> Path:
    """Recordings, crops and logs of a data set."""
    return INTERIM / dataset


def sequences_file(dataset: str) -> Path:
    """Table of the recordings of a data set."""
    return INTERIM / dataset / "sequences.parquet"


def labels_file(dataset: str) -> Path:
    """Table of the raw labels of a data set."""
    return INTERIM / dataset / "labels.parquet"


def check_file(dataset: str) -> Path:
    """Report about the raw copy of a data set."""
    return INTERIM / dataset / "check.txt"


def crops_folder(dataset: str, crop: str) -> Path:
    """Shards with the crops of a data set; `crop` is the digest of the crop settings."""
    return INTERIM / dataset / crop


def manifest_file(dataset: str, crop: str) -> Path:
    """Table of the labelled crops of a data set; `crop` is the digest of the crop settings."""
    return PROCESSED / dataset / crop / "manifest.parquet"


def results_folder(run: str) -> Path:
    """Results of a run."""
    return RESULTS / run


def summary_file(run: str) -> Path:
    """Summary table of a run; it is written last."""
    return RESULTS / run / "summary.csv"


def seed_and_fold(seed: int | str, fold: int | str) -> Path:
    """Folder of one seed and fold, relative to the results of its run."""
    return Path(f"seed{seed}", f"fold{fold}")


def fold_folder(run: str, seed: int | str, fold: int | str) -> Path:
    """Results of one seed and fold of a run."""
    return RESULTS / run / seed_and_fold(seed, fold)
