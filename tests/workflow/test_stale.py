"""What a change makes stale. Real Snakemake, dry runs, no data."""

import re

import pytest

from tests.workflow.conftest import edit, mark_as_made, planned, snakemake, stale

TARGET = "results/demo/summary.csv"
SCORES = {"evaluate", "summarize"}
STAGE_2 = {"finetune", *SCORES}
STAGE_1 = {"pretrain", *STAGE_2}
DEMO = "params/demo.yaml"
ALL_STEPS = {"render_demo", "ingest", "crop", "manifest", *STAGE_1}


@pytest.mark.parametrize(
    ("file", "old", "new", "rules"),
    [
        (DEMO, "finetune:\n", "finetune:\n  label_weight: none\n", STAGE_2),
        (DEMO, "pretrain:\n", "pretrain:\n  image_text: 0.5\n", STAGE_1),
        (DEMO, "device: cpu\n", "device: cpu\nevaluate: {threshold: 0.4}\n", SCORES),
        (DEMO, "device: cpu\n", "device: cpu\nevaluate: {bootstrap: 10}\n", {"summarize"}),
        (DEMO, "device: cpu\n", "device: cpu\nlabels: {threshold: 2}\n", STAGE_2),
        (DEMO, "kind: videos", "kind: videos, seed: 7", ALL_STEPS),
        ("clef/model/texts.yaml", "name: inner brow raiser", "name: inner brow raiser again", STAGE_2),
        ("clef/model/texts.yaml", "a photo of a face where {}", "a photo of a face where {} again", STAGE_2),
        ("clef/model/configs/clef-tiny.json", '"context_length": 40', '"context_length": 41', STAGE_1),
        ("clef/evaluation/fold/metrics.py", "\n", "\n# a comment\n", SCORES),
        ("clef/evaluation/run/published.csv", "\n", "\n# a comment\n", {"summarize"}),
        ("clef/reports/templates/run.html", "\n", "\n<!-- a comment -->\n", {"summarize"}),
        (
            "clef/demo/behaviour.py",
            "VERSION = ",
            "VERSION = 1",
            ALL_STEPS,
        ),
        ("clef/manifest/table.py", "\n", "\n# a comment\n", {"manifest", *STAGE_1}),
    ],
)
def test_a_change_makes_its_stage_and_what_follows_stale(finished, file, old, new, rules):
    edit(finished / file, old, new)
    assert set(stale(finished, TARGET)) == rules


def test_new_crop_settings_keep_the_old_crops(finished):
    (old,) = finished.glob("data/interim/demo/*/F001.arrow")
    edit(finished / DEMO, "size: 72", "size: 80")
    output = snakemake(finished, "-n", TARGET)
    assert set(planned(output)) == {"crop", "manifest", *STAGE_1}
    (new,) = set(re.findall(r"data/interim/demo/(\w+)/F001\.arrow", output))
    assert new != old.parent.name
    assert old.exists()


def test_another_held_out_share_trains_only_the_inner_stage_2_again(finished):
    edit(finished / DEMO, "device: cpu\n", "device: cpu\ntune: {held_out: 0.2}\n")
    assert set(stale(finished, TARGET)) == {"finetune_inner", *SCORES}
    mark_as_made(finished, TARGET)
    edit(finished / DEMO, "held_out: 0.2", "held_out: 0.3")
    assert set(stale(finished, TARGET)) == {"finetune_inner", *SCORES}


def test_nothing_is_stale_after_changes_without_effect(finished):
    """Of the README, training code, settings that change no result; and after stage 1 of a finished run is deleted."""
    assert set(stale(finished, TARGET)) == set()
    (finished / "README.md").write_text("another")
    for code in ("clef/training/loop.py", "clef/comparison/differences.py"):
        edit(finished / code, "\n", "\n# another comment\n")
    edit(finished / DEMO, "finetune:\n", "finetune:\n  workers: 1\n")
    edit(finished / DEMO, "device: cpu\n", "device: cpu\ngpus: 2\nevaluate: {batch: 8}\ntracking: {mlflow: false}\n")
    (finished / "results/demo/seed0/fold0/pretrain.safetensors").unlink()
    assert set(stale(finished, TARGET)) == set()


@pytest.mark.parametrize("file", ["ablation.csv", "seed0/fold0/probe.json"])
def test_an_ablation_or_a_probe_makes_only_the_report_stale(finished, file):
    (finished / "results" / "demo" / file).write_text("new")
    assert set(stale(finished, TARGET)) == {"summarize"}
