import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from clef.datasets import open_dataset
from clef.manifest.folds import make_folds
from clef.runtime.paths import crops_folder, fold_folder, manifest_file
from clef.training.finetune import finetune
from clef.training.pretrain import pretrain
from tests.toy import make_toy, toy_params
from tests.training.stages import stage2_files

PARAMS = toy_params(folds={"number": 2}, finetune={"epochs": 1}, probe={"stride": 2})
OTHER = PARAMS.model_copy(update={"pretrain": PARAMS.pretrain.model_copy(update={"from_": "toy"})})


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """Two runs without results tables: `toy`, and `other`, which starts from the stage 1 of `toy`."""
    root = tmp_path_factory.mktemp("checkout")
    (root / "params").mkdir()
    for name, params in (("toy", PARAMS), ("other", OTHER)):
        (root / "params" / f"{name}.yaml").write_text(yaml.safe_dump(params.model_dump(mode="json", by_alias=True)))
    inputs = make_toy(root / "data", PARAMS)
    for path in (crops_folder("toy", PARAMS.crop_digest), manifest_file("toy", PARAMS.crop_digest).parent):
        (root / path).parent.mkdir(parents=True)
        (root / path).symlink_to(inputs.manifest.parent)
    for fold in make_folds(open_dataset(PARAMS)):
        folder = root / fold_folder("other", 0, fold.number)
        folder.mkdir(parents=True)
        stage1 = root / fold_folder("toy", 0, fold.number) / "pretrain.safetensors"
        stage1.parent.mkdir(parents=True)
        pretrain(PARAMS, 0, fold, inputs, stage1)
        finetune(OTHER, 0, fold, inputs, stage1, folder / "finetune.safetensors", stage2_files(folder)[1])
    return root


def test_a_finished_run_is_probed_with_the_stage_1_of_another(checkout, clef_here):
    ran = clef_here("probe", "other", folder=checkout)
    assert ran.returncode == 0, ran.stderr
    assert "after stage 1" in ran.stdout
    assert "± over seeds and folds (2)" in ran.stdout
    probes = sorted(checkout.glob("results/other/seed0/fold*/probe.json"))
    assert len(probes) == 2
    table = pd.read_csv(checkout / "results/other/probe.csv").set_index("weights")
    scores = [json.loads(path.read_text())["rows"][1]["identity"] for path in probes]
    assert table.loc["after stage 1", "identity"] == pytest.approx(sum(scores) / 2, abs=1e-4)

    written = (checkout / "results/other/probe.csv").read_bytes()
    joined = clef_here("probe", "other", *map(str, probes), folder=checkout)
    assert joined.stdout == ran.stdout
    assert (checkout / "results/other/probe.csv").read_bytes() == written


def test_an_unfinished_run_is_an_error_of_one_line(checkout, clef_here):
    ran = clef_here("probe", "toy", folder=checkout)
    assert ran.returncode == 1
    assert "results/toy/seed0/fold0/finetune.safetensors: no such file; run `clef finetune` first" in ran.stderr
    assert not (checkout / "results/toy/probe.csv").exists()
