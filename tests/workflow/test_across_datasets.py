"""Runs over two demo data sets: stage 1 on all subjects of one, tests on the other."""

import csv
import json
import re

import pytest

from tests.workflow.conftest import planned, snakemake

PARAMS = {
    "plus": "extends: demo-short\ndataset: {name: plus}\nrender: {seed: 5, subjects: 4}\npretrain: {subjects: 2}\n",
    "second": "extends: demo-short\ndataset: {name: second}\nrender: {seed: 9, subjects: 4}\nseeds: [0]\n"
    "folds: {number: 2}\nfinetune: {epochs: 1}\npretrain: {from: plus}\n",
    "alone": "extends: second\nfolds: {protocol: leave_one_out, number: null}\n",
    "joint": "extends: second\npretrain: {from: null, also: [plus]}\n",
    "across": "extends: plus\ntest: {run: second}\nfinetune: {epochs: 1}\npretrain: {from: plus}\n",
}
FOLD_ALL = "results/plus/seed0/foldall/pretrain.safetensors"


@pytest.fixture
def two_sets(checkout):
    for name, text in PARAMS.items():
        (checkout / "params" / f"{name}.yaml").write_text(text)
    return checkout


def test_stage_1_on_all_subjects_is_trained_once_for_all_folds(two_sets):
    output = snakemake(two_sets, "-n", "results/second/summary.csv", "results/alone/summary.csv")
    jobs = planned(output)
    assert jobs["pretrain"] == 1
    assert jobs["finetune"] == jobs["evaluate"] == 2 + 4
    assert jobs["render_demo"] == jobs["ingest"] == jobs["manifest"] == 2
    assert FOLD_ALL in output
    assert not re.search(r"results/plus/seed0/fold\d", output)


def test_another_data_set_in_stage_1_is_cropped_and_not_tested(two_sets):
    output = snakemake(two_sets, "-n", "results/joint/summary.csv")
    jobs = planned(output)
    assert jobs["pretrain"] == jobs["finetune"] == jobs["evaluate"] == 2
    assert jobs["render_demo"] == jobs["ingest"] == jobs["manifest"] == 2
    block = next(part for part in output.split("rule pretrain:")[1:] if "results/joint/" in part)
    for dataset in ("second", "plus"):
        assert f"data/processed/{dataset}/" in block.split("output:")[0]
        assert f"data/interim/{dataset}/" in block.split("output:")[0]


def test_a_run_that_gives_only_stage_1_needs_no_stage_2(two_sets):
    jobs = planned(snakemake(two_sets, "-n", FOLD_ALL))
    assert jobs["pretrain"] == 1
    assert "finetune" not in jobs


def test_a_test_on_another_data_set_needs_crops_and_labels_of_both(two_sets):
    output = snakemake(two_sets, "-n", "results/across/summary.csv")
    jobs = planned(output)
    assert (jobs["pretrain"], jobs["finetune"], jobs["evaluate"]) == (1, 1, 1)
    assert jobs["manifest"] == jobs["ingest"] == 2
    for rule, name in (("finetune", "finetune.safetensors"), ("evaluate", "metrics.json")):
        block = next(part for part in output.split(f"rule {rule}:")[1:] if f"foldall/{name}" in part)
        assert "data/processed/second/" in block.split("output:")[0]
        assert "data/interim/second/" in block.split("output:")[0]


@pytest.mark.slow
def test_two_data_sets_from_nothing_to_their_summaries(two_sets):
    targets = [f"results/{run}/summary.csv" for run in ("second", "alone", "across", "joint")]
    snakemake(two_sets, *targets)
    trained_on = {
        run: json.loads((two_sets / f"results/{run}/seed0/{stage}.json").read_text())
        for run, stage in (("plus", "foldall/pretrain"), ("second", "fold0/finetune"), ("across", "foldall/finetune"))
    }
    assert {dataset for dataset, _ in trained_on["plus"]["trained_on"]} == {"plus"}
    assert {dataset for dataset, _ in trained_on["second"]["trained_on"]} == {"second"}
    assert trained_on["across"]["trained_on"] == trained_on["plus"]["trained_on"]
    joint = json.loads((two_sets / "results/joint/seed0/fold0/pretrain.json").read_text())["trained_on"]
    assert [dataset for dataset, _ in joint] == ["plus"] * 4 + ["second"] * 2
    summaries = {
        run: json.loads((two_sets / f"results/{run}/summary.json").read_text()) for run in PARAMS if run != "plus"
    }
    assert [fold["fold"] for fold in summaries["across"]["folds"]] == ["all"]
    assert (summaries["across"]["trained_on"], summaries["across"]["dataset"]) == ("plus", "second")
    assert len(summaries["across"]["folds"][0]["subjects"]) == 4
    assert [len(fold["subjects"]) for fold in summaries["alone"]["folds"]] == [1] * 4
    assert summaries["alone"]["pooled"]
    assert not summaries["second"]["pooled"]
    with (two_sets / "results/alone/summary.csv").open() as table:
        rows = {row["label"]: row for row in csv.DictReader(table)}
    assert float(rows["mean"]["ci_low"]) <= float(rows["mean"]["f1"]) <= float(rows["mean"]["ci_high"])
    assert rows["mean"]["floor"]
    assert snakemake(two_sets, "-n", *targets).count("Nothing to be done") == 1
