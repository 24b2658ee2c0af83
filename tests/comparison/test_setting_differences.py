import json

import pytest

from clef.comparison.finished_run import read_run
from clef.comparison.setting_differences import differing_settings
from clef.params.schema import FINETUNE_SECTIONS, Params

TEXTS = [["inner brow raiser", "brows up"], ["cheek raiser", "cheeks up"], ["lip corner puller", "a smile"]]


def params(**changes):
    return Params.model_validate({"dataset": {"adapter": "demo"}, "labels": {"action_units": [1, 6, 12]}} | changes)


class Runs:
    """Finished runs with the JSON beside their weights, and params files."""

    def __init__(self, finish, results):
        self.finish, self.results, self.params = finish, results, {}

    def write(self, name, trained=None, stage1="aaaa", now=None, texts=TEXTS, absent="no {}", package="v1"):
        """Write a run that was trained with some params and whose params file may contain others now."""
        trained = trained or params()
        folder = self.finish(name)
        for fold in (0, 1):
            recorded = {key: trained.tracked(key) for key in FINETUNE_SECTIONS}
            recorded |= {"label_texts": texts, "templates": {"absent": absent}}
            recorded |= {"stage1": stage1 and f"{stage1}{fold}", "package": package}
            (folder / "seed0" / f"fold{fold}" / "finetune.json").write_text(json.dumps(recorded))
            if trained.pretrain is not None and trained.pretrain.from_ is None:
                self.write_stage1(folder / "seed0" / f"fold{fold}", trained)
        self.params[name] = now or trained

    def write_stage1(self, folder, trained):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pretrain.json").write_text(json.dumps({"pretrain": trained.tracked("pretrain")}))

    def compare(self, *names):
        return differing_settings([read_run(name, self.results) for name in names], self.params.get)


@pytest.fixture
def runs(finish, tmp_path):
    return Runs(finish, tmp_path / "results")


@pytest.mark.parametrize(
    ("other", "differing"),
    [
        (
            {"trained": params(finetune={"epochs": 3, "optimiser": {"layer_decay": 0.5}}, evaluate={"bootstrap": 7})},
            {"finetune.epochs": ["10", "3"], "finetune.optimiser.layer_decay": ["0.7", "0.5"]},
        ),
        ({"trained": params(finetune={"workers": 4}, pretrain={"checkpoint": {"every_seconds": 9}})}, {}),
        (
            {"trained": params(pretrain={"from": "first"}, finetune={"head": "linear"})},
            {"finetune.head": ["text", "linear"]},
        ),
        ({"trained": params(pretrain=None), "stage1": None}, {"pretrain": ["given", "none"]}),
        (
            {"texts": [TEXTS[0], ["apple cheeks", "cheeks up"], TEXTS[2]]},
            {"texts of.AU06": ["cheek raiser: cheeks up", "apple cheeks: cheeks up"]},
        ),
        ({"absent": "without {}"}, {"templates.absent": ["no {}", "without {}"]}),
    ],
    ids=["changed", "operational", "stage 1 of the other", "without stage 1", "texts", "templates"],
)
def test_exactly_the_differing_settings_are_listed(runs, other, differing):
    runs.write("first")
    runs.write("other", **other)
    found = runs.compare("first", "other")
    assert found.values == differing
    assert found.notes == []


def test_a_stage_1_of_another_data_set_has_one_fold_of_all_subjects(runs, tmp_path):
    for name, source in (("a", "plus"), ("b", "other")):
        runs.write(name, params(pretrain={"from": source}))
    for source, epochs in (("plus", 3.0), ("other", 4.0)):
        runs.write_stage1(tmp_path / "results" / source / "seed0" / "foldall", params(pretrain={"epochs": epochs}))
    assert runs.compare("a", "b").values == {"pretrain.epochs": ["3.0", "4.0"]}


def test_a_stage_1_of_another_run_has_the_settings_it_was_trained_with(runs):
    runs.write("a", params(pretrain={"epochs": 2}), now=params(pretrain={"epochs": 9}))
    runs.write("b", params(pretrain={"from": "a", "epochs": 4}), stage1="bbbb")
    runs.write("c", params(pretrain={"epochs": 3}), stage1="cccc")
    assert runs.compare("b", "c").values == {"pretrain.epochs": ["2.0", "3.0"]}


def test_a_different_stage_1_file_with_the_same_settings_is_noted(runs):
    runs.write("a")
    runs.write("b", params(pretrain={"from": "a"}), stage1="older")
    runs.write("c", params(pretrain={"epochs": 2}), stage1="cccc")
    (note,) = runs.compare("a", "b").notes
    assert note == "They use different files of stage 1, although all settings of stage 1 are the same."
    assert runs.compare("a", "c").notes == []


def test_recorded_settings_take_precedence_over_a_params_file_that_changed(runs):
    runs.write("a", now=params(finetune={"epochs": 99}))
    runs.write("b", params(finetune={"epochs": 3}), package="v2")
    found = runs.compare("a", "b")
    assert found.values == {"finetune.epochs": ["10", "3"]}
    assert found.notes[0] == "a: its params file has changed since the training (finetune.epochs)."
    assert found.notes[1:] == ["The runs were trained with different versions of the package's code."]
    del runs.params["a"]
    found = runs.compare("a", "b")
    assert found.values == {"finetune.epochs": ["10", "3"]}
    assert found.notes[0] == "a: its params file no longer exists; only recorded settings are compared."


def test_results_without_weights_are_compared_by_their_params_files(runs, finish):
    for name, size in (("a", 256), ("b", 128)):
        finish(name)
        runs.params[name] = params(crop={"size": size})
    assert runs.compare("a", "b").values == {"crop.size": ["256", "128"]}
