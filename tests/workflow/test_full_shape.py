"""BP4D in its full size, with the shipped params, is planned and checked."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from clef.datasets.bp4d import Bp4d
from tests.datasets import full_size
from tests.workflow.conftest import planned, snakemake

LINKED = 15_000
"""Frames whose three files are one, to spare the disk; file systems allow some 60,000 names of a file."""


def write_bp4d(root: Path) -> None:
    """Every texture of the labelled frames, with a mesh and a material beside it as in the release: a million files."""
    windows = full_size.write_bp4d(root)
    shutil.rmtree(root / "videos")
    names = [f"{name.replace('_', '/')}/{image:04d}" for name in windows for image in range(windows[name][-1])]
    original = root / ".picture"
    for number, name in enumerate(names):
        if number % LINKED == 0:
            original.unlink(missing_ok=True)
            cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tofile(original)
        image = root / "Sequences" / name
        image.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".jpg", ".obj", ".mtl"):
            os.link(original, image.with_suffix(suffix))


@pytest.mark.slow
def test_bp4d_is_planned_and_checked(checkout):
    write_bp4d(checkout / "data" / "raw" / "bp4d")
    jobs = planned(snakemake(checkout, "-n", "results/bp4d/summary.csv"))
    assert jobs["crop"] == len(Bp4d.all_subjects)
    assert jobs["evaluate"] % 3 == 0

    command = [sys.executable, "-m", "clef", "check", "bp4d", "--json"]
    ran = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    report = json.loads(ran.stdout)
    found = {row["what"]: row["found"] for row in report["rows"]}
    assert report["problems"] == []
    assert (found["subjects"], found["sequences"]) == (len(Bp4d.all_subjects), Bp4d.published_counts.sequences)
    assert found["labelled frames"] == Bp4d.published_counts.labelled_frames
