"""Rendering by the workflow, which removes the record of what was rendered before it renders again."""

import json

import pytest

from tests.workflow.conftest import only_run, snakemake

FEW = """
dataset: {adapter: demo_expr, name: few}
device: cpu
render: {kind: stills, size: 160, train_images: 4, test_images: 2}
labels: {kind: expressions, expressions: [neutral, happiness]}
folds: {protocol: official, number: 1}
crop: {detector: none, size: 40}
model: {name: clef-tiny, image_size: 32}
pretrain: null
"""


def test_other_settings_replace_an_earlier_rendering(checkout):
    raw = checkout / "data/raw/few"
    for images in (4, 3, 5):
        only_run(checkout, "few", FEW.replace("train_images: 4", f"train_images: {images}"))
        snakemake(checkout, "data/raw/few/render.json")
        assert len(list(raw.glob("images/train/*.jpg"))) == images
        there = {path.relative_to(raw).as_posix() for path in raw.rglob("*.*") if path.is_file()}
        assert there == {*json.loads((raw / "render.json").read_text())["files"], "render.json", ".rendered"}


@pytest.mark.parametrize("linked", [True, False], ids=["link", "folder"])
def test_recordings_of_ones_own_survive_a_forgotten_adapter(checkout, linked, tmp_path):
    lab = tmp_path / "lab" if linked else checkout / "data/raw/mine"
    (lab / "images" / "train").mkdir(parents=True)
    for path in ("images/train/00001.jpg", "images/mine.jpg", "labels.csv"):
        (lab / path).write_text("mine")
    before = {path: path.is_dir() or path.read_text() for path in lab.rglob("*")}
    if linked:
        (checkout / "data/raw").mkdir(parents=True)
        (checkout / "data/raw/mine").symlink_to(lab)
    only_run(checkout, "mine", FEW.replace("name: few", "name: mine"))
    output = snakemake(checkout, "data/raw/mine/render.json", "--quiet", "rules", "host", check=False)
    (line,) = {line for line in output.splitlines() if line.startswith("render-demo mine: error: ")}
    assert "use `dataset: {adapter: folder}` for your own recordings" in line
    assert {path: path.is_dir() or path.read_text() for path in lab.rglob("*")} == before
