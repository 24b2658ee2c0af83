import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import ModelCard

from clef.evaluation.run.rows import percent
from clef.trained.export import CARD
from clef.trained.model_card import model_card
from clef.trained.run_members import NOTICE, run_config
from tests.cli.conftest import clef_here
from tests.recordings.sample_recordings import numbered_images, write_video
from tests.trained.conftest import LABELS

__all__ = ["clef_here"]


@pytest.fixture
def run(toy_run, tmp_path):
    """A copy of the results that may be changed."""
    return shutil.copytree(toy_run[0], tmp_path / "run")


def edit(path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def card_of(run, **chosen) -> str:
    return model_card(run, run_config(run, **chosen), with_onnx=True)


def one_line(card: str) -> str:
    return " ".join(card.split())


def test_the_hub_reads_the_card_and_its_strict_score(toy_run, exported):
    data = ModelCard.load(exported / CARD).data
    rows = json.loads((toy_run[0] / "summary.json").read_text())["rows"]
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_name) == ("f1", rows["mean"]["f1"], "toy")
    assert data.license is None
    assert {"clef", "onnx", "facial-action-unit-detection"} <= set(data.tags)


def test_the_card_has_the_strict_figures_of_every_label(toy_run, exported):
    card, rows = (exported / CARD).read_text(), json.loads((toy_run[0] / "summary.json").read_text())["rows"]
    table = {line.split(" | ")[0].strip("| *"): line for line in card.split("\n") if line.startswith("|")}
    for label in (*LABELS, "mean"):
        row = rows[label]
        figures = f"{percent(row['ci_low'])} to {percent(row['ci_high'])} | {percent(row['precision'])} |"
        headline = f"{percent(row['f1'])}{'**' if label == 'mean' else ''} | {figures}"
        assert any(headline in line for line in card.split("\n") if label in line), (label, table)
    headline, _, optimistic = card.partition("Only for comparison with papers")
    assert f"`f1_field` {percent(rows['mean']['f1_field'])}" in optimistic
    assert "field" not in headline
    text = one_line(card)
    for sentence in (
        f"> **Warning:** {NOTICE}.",
        "mean of 2 networks",
        "trained on 3 subjects",
        "2 folds, 1 seed, 6 test subjects",
        "started from random weights",
        "counts as present if its probability is at least 0.5",
        f"from the activity alone reaches {percent(rows['mean']['activity_only'])}",
        f'Always predicting "present" reaches {percent(rows["mean"]["floor"])}',
        f"mean AUC of {percent(rows['mean']['auc_description'])}",
        "the mean of the networks was not tested as a whole",
        "Data: pictures that the package itself renders.",
        "to detect lies;",
    ):
        assert sentence in text, sentence


def test_the_command_of_the_card_works_as_typed(exported, tmp_path, clef_here):
    video = write_video(tmp_path / "talk.mp4", numbered_images(4))
    (command,) = re.findall(r"^    (clef predict .*)$", (exported / CARD).read_text(), re.MULTILINE)
    words = command.replace("VIDEO", str(video)).replace("FOLDER", str(exported)).split()
    done = clef_here(*words[1:], folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (table,) = tmp_path.glob("*.parquet")
    assert len(pd.read_parquet(table)) == 4


def test_the_card_says_whether_thresholds_were_tuned(run):
    assert "at least 0.5. This threshold is fixed: nothing was tuned." in one_line(card_of(run))
    for path in run.glob("seed0/fold*/metrics.json"):
        edit(path, tuned={"temperature": 1.0, "thresholds": dict(zip(LABELS, (0.2, 0.3, 0.4), strict=True))})
    summary = json.loads((run / "summary.json").read_text())
    summary["rows"]["mean"]["f1_tuned"] = 0.625
    edit(run / "summary.json", **summary)
    card = one_line(card_of(run))
    assert "for the fixed threshold; with the tuned ones of each network, the mean F1 is 62.5." in card
    assert "from this probability on: AU01 0.2, AU04 0.3, AU12 0.4. These thresholds were tuned on training" in card


def test_the_spread_is_that_of_the_f1_of_single_subjects_with_the_counts_of_all_seeds(run):
    expected, label = [], LABELS.index("AU01")
    for fold, path in enumerate(sorted(run.glob("seed0/fold*/metrics.json"))):
        units, other = json.loads(path.read_text())["counts"], json.loads(path.read_text())["counts"]
        for unit in other:  # the other seed misses some frames more
            missed = min(unit["tp"][label], 2)
            unit["tp"][label] -= missed
            unit["fn"][label] += missed
        if fold == 0:  # a subject that never shows the label
            for unit in (units[2], other[2]):
                unit["tp"][label] = unit["fn"][label] = 0
        for pair in zip(units, other, strict=True):
            tp, fp, fn = (sum(unit[cell][label] for unit in pair) for cell in ("tp", "fp", "fn"))
            if tp + fn:
                expected.append(2 * tp / (2 * tp + fp + fn))
        second = run / f"seed1/fold{fold}/metrics.json"
        second.parent.mkdir(parents=True)
        shutil.copy(path, second)
        edit(path, counts=units)
        edit(second, counts=other, seed=1)
    edit(run / "summary.json", seeds=[0, 1])
    quartiles = " | ".join(percent(value) for value in np.percentile(expected, [0, 25, 50, 75, 100]))
    card = card_of(run)
    assert len(expected) == 5
    assert "Half of the 6 subjects" in card
    assert f"| AU01 | {quartiles} |" in card


def test_missing_figures_are_said_to_be_missing(run):
    summary = json.loads((run / "summary.json").read_text()) | {"resampled": "sequences"}
    for row in summary["rows"].values():
        row |= {"activity_only": None, "auc_description": None, "ci_low": None, "ci_high": None}
        row |= {"f1_field": None, "f1_field_max": None}
    edit(run / "summary.json", **summary)
    text = one_line(card_of(run))
    assert "knows only the activity is missing, because training had no activities with these labels" in text
    assert "field" not in text
    assert ".**" in text
    assert "..**" not in text
    assert "the spread is missing, because the folds have no counts by subject" in text
    assert "**Asked in words** (zero-shot): no figure" in text
    assert "| - to - |" in text
    (run / "summary.json").unlink()
    text = one_line(card_of(run, fold="0"))
    assert "The figures are missing: the run was not finished" in text
    assert "the number of test subjects is missing" in text
    assert "one network (seed 0, fold 0)" in text
    assert "model-index" not in text


def test_pretrained_weights_are_named_by_tag_but_never_by_path(run):
    def start_from(pretrained: str, stage: str) -> str:
        for sidecar in run.glob("seed0/fold*/finetune.json"):
            values = json.loads(sidecar.read_text())
            values |= {"model": values["model"] | {"pretrained": pretrained}, "pretrained": "0123abc"}
            sidecar.with_name(f"{stage}.json").write_text(json.dumps(values))
        return one_line(card_of(run))

    card = start_from("openai", "finetune")
    assert "started from open_clip's `openai`" in card
    assert "training started from: open_clip's `openai`; their publisher's terms apply" in card
    card = start_from("/home/me/clip.pt", "finetune")
    assert "started from a file with the SHA-256 `0123abc`" in card
    assert "/home/me" not in card
    for sidecar in run.glob("seed0/fold*/finetune.json"):
        edit(sidecar, stage1="0" * 64)
    assert "started from the stage 1 of another run" in one_line(card_of(run))
    assert "started from open_clip's `laion2b`" in start_from("laion2b", "pretrain")


def test_the_data_of_stage_1_is_named(run):
    for sidecar in run.glob("seed0/fold*/finetune.json"):
        edit(sidecar, stage1="0" * 64)
        pretrain = json.loads(sidecar.read_text())
        pretrain["trained_on"].append(["bp4dplus", "F001"])
        sidecar.with_name("pretrain.json").write_text(json.dumps(pretrain))
    card = one_line(card_of(run))
    assert "weak labels): on `bp4dplus`, `toy`." in card
    assert "Check those of `bp4dplus`, `toy` before" in card
    assert "F001" not in card


def test_a_tokenizer_from_the_hub_is_named_only_where_there_is_one(run):
    assert "Hugging Face hub" not in card_of(run)
    config = run_config(run)
    text = config.architecture["text_cfg"] | {"hf_tokenizer_name": "timm/ViT-B-16-SigLIP"}
    config = config.model_copy(update={"architecture": config.architecture | {"text_cfg": text}})
    card = one_line(model_card(run, config, with_onnx=True))
    assert "loaded from the Hugging Face hub (`timm/ViT-B-16-SigLIP`), unless it is in the cache" in card


def test_data_of_real_people_has_terms_of_its_own(run):
    for sidecar in run.glob("seed0/fold*/finetune.json"):
        edit(sidecar, dataset={"adapter": "bp4d", "name": "bp4d"}, trained_on=[["bp4d", "F001"], ["bp4d", "F002"]])
    card = one_line(card_of(run))
    assert "Check those of `bp4d` before you publish or use this model." in card
    assert "Warning" not in card
