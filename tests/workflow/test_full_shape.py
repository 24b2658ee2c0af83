"""Lab sets in their full size, with the shipped params, are planned and checked."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from clef.datasets.bp4d import Bp4d
from clef.datasets.bp4dplus import Bp4dPlus
from tests.datasets import full_size
from tests.workflow.conftest import planned, snakemake

pytestmark = pytest.mark.slow

LINKED = 15_000
"""Frames whose three files are one, to spare the disk; file systems allow some 60,000 names of a file."""
IMAGES_IN_A_TASK = 1_000


def picture() -> bytes:
    encoded, content = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))
    assert encoded
    return content.tobytes()


def write_bp4d(root: Path) -> None:
    """Every texture of the labelled frames, with a mesh and a material beside it as in the release: a million files."""
    windows = full_size.write_bp4d(root)
    shutil.rmtree(root / "videos")
    names = [f"{name.replace('_', '/')}/{image:04d}" for name in windows for image in range(windows[name][-1])]
    original = root / ".picture"
    for number, name in enumerate(names):
        if number % LINKED == 0:
            original.unlink(missing_ok=True)
            original.write_bytes(picture())
        image = root / "Sequences" / name
        if name.endswith("/0000"):
            image.parent.mkdir(parents=True)
        for suffix in (".jpg", ".obj", ".mtl"):
            os.link(original, image.with_suffix(suffix))


def write_bp4dplus(root: Path) -> None:
    """A zip a subject with all images of ten tasks, a mesh and a material beside each: four million members."""
    full_size.write_bp4dplus(root)
    shutil.rmtree(root / "raw_videos")
    (root / "2D+3D").mkdir()
    first = root / "2D+3D" / "F001.zip"
    content = picture()
    with zipfile.ZipFile(first, "w") as archive:
        for task in Bp4dPlus.activities:
            for image in range(IMAGES_IN_A_TASK):
                archive.writestr(f"F001/{task}/{image:04d}.jpg", content)
                for suffix in ("obj", "mtl"):
                    archive.writestr(f"F001/{task}/{image:04d}.{suffix}", b"")
    for subject in Bp4dPlus.all_subjects[1:]:
        renamed = first.read_bytes().replace(b"F001/", f"{subject}/".encode())
        first.with_name(f"{subject}.zip").write_bytes(renamed)


@pytest.mark.parametrize(
    ("dataset", "write", "adapter", "folds"),
    [("bp4d", write_bp4d, Bp4d, 3), ("bp4dplus", write_bp4dplus, Bp4dPlus, 4)],
)
def test_a_full_set_is_planned_and_checked(
    checkout, dataset: str, write: Callable[[Path], None], adapter: type[Bp4d] | type[Bp4dPlus], folds: int
):
    root = checkout / "data" / "raw" / dataset
    write(root)
    jobs = planned(snakemake(checkout, "-n", f"results/{dataset}/summary.csv"))
    assert jobs["crop"] == len(adapter.all_subjects)
    assert jobs["evaluate"] % folds == 0

    command = [sys.executable, "-m", "clef", "check", dataset, "--json"]
    ran = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    report = json.loads(ran.stdout)
    found = {row["what"]: row["found"] for row in report["rows"]}
    assert report["problems"] == []
    assert (found["subjects"], found["sequences"]) == (len(adapter.all_subjects), adapter.published_counts.sequences)
    assert found["labelled frames"] == adapter.published_counts.labelled_frames
