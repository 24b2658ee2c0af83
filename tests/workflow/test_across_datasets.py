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
DATA = {"render_demo": 2, "ingest": 2, "manifest": 2}


@pytest.fixture
def two_sets(checkout):
    for name, text in PARAMS.items():
        (checkout / "params" / f"{name}.yaml").write_text(text)
    return checkout


@pytest.mark.parametrize(
    ("runs", "jobs", "reading_both"),
    [
        (["second", "alone"], {"pretrain": 1, "finetune": 6, "evaluate": 6}, {}),
        (["joint"], {"pretrain": 2, "finetune": 2, "evaluate": 2}, {"pretrain": "results/joint/"}),
        (
            ["across"],
            {"pretrain": 1, "finetune": 1, "evaluate": 1},
            {"finetune": "foldall/finetune.safetensors", "evaluate": "foldall/metrics.json"},
        ),
    ],
    ids=["from", "also", "test"],
)
def test_another_data_set_is_used_only_where_the_params_say(two_sets, runs, jobs, reading_both):
    output = snakemake(two_sets, "-n", *(f"results/{run}/summary.csv" for run in runs))
    assert planned(output).items() >= (DATA | jobs).items()
    for rule, file in reading_both.items():
        block = next(part for part in output.split(f"rule {rule}:")[1:] if file in part)
        crops = [] if rule == "evaluate" else ["interim/second", "interim/plus"]
        for folder in ("processed/second", "processed/plus", *crops):
            assert f"data/{folder}/" in block.split("output:")[0]
    if runs != ["joint"]:
        assert "results/plus/seed0/foldall/pretrain.safetensors" in output
        assert not re.search(r"results/plus/seed0/fold\d", output)


def test_a_summary_reads_the_checks_of_the_data_of_training_and_test(two_sets):
    output = snakemake(two_sets, "-n", "results/across/summary.csv")
    read = output.split("rule summarize:")[1].split("output:")[0]
    assert all(f"data/interim/{name}/check.txt" in read for name in ("plus", "second"))


@pytest.mark.slow
def test_two_data_sets_from_nothing_to_their_summaries(two_sets):
    targets = [f"results/{run}/summary.csv" for run in ("second", "alone", "across", "joint")]
    snakemake(two_sets, *targets)

    def read(file: str) -> dict:
        return json.loads((two_sets / "results" / file).read_text())

    plus, second, across, joint = (
        [dataset for dataset, _ in read(f"{run}/seed0/{stage}.json")["trained_on"]]
        for run, stage in (
            ("plus", "foldall/pretrain"),
            ("second", "fold0/finetune"),
            ("across", "foldall/finetune"),
            ("joint", "fold0/pretrain"),
        )
    )
    assert (set(second), across, joint) == ({"second"}, plus, ["plus"] * 4 + ["second"] * 2)
    assert plus == ["plus"] * 4
    summary = read("across/summary.json")
    assert [(fold["fold"], len(fold["subjects"])) for fold in summary["folds"]] == [("all", 4)]
    assert (summary["trained_on"], summary["dataset"]) == ("plus", "second")
    assert [len(fold["subjects"]) for fold in read("alone/summary.json")["folds"]] == [1] * 4
    assert read("alone/summary.json")["pooled"]
    assert not read("second/summary.json")["pooled"]
    with (two_sets / "results/alone/summary.csv").open() as table:
        rows = {row["label"]: row for row in csv.DictReader(table)}
    assert float(rows["mean"]["ci_low"]) <= float(rows["mean"]["f1"]) <= float(rows["mean"]["ci_high"])
    assert rows["mean"]["floor"]
    assert snakemake(two_sets, "-n", *targets).count("Nothing to be done") == 1
