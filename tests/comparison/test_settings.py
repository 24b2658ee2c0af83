import json

import pytest

from clef.comparison.finished import read_run
from clef.comparison.settings import differing_settings
from clef.params.schema import FINETUNE_SECTIONS, Params

TEXTS = [["inner brow raiser", "brows up"], ["cheek raiser", "cheeks up"], ["lip corner puller", "a smile"]]


def params(**changes):
    return Params.model_validate({"dataset": {"adapter": "demo"}, "labels": {"action_units": [1, 6, 12]}} | changes)


@pytest.fixture
def trained(finish, tmp_path):
    """Write a run with the JSON that its trainings leave, and remember its params file."""
    files = {}

    def write(name, of=None, stage1="aaaa", now=None, texts=TEXTS, absent="no {}"):
        of = of or params()
        folder = finish(name)
        for fold in (0, 1):
            recorded = {key: of.tracked(key) for key in FINETUNE_SECTIONS}
            recorded |= {"label_texts": texts, "templates": {"absent": absent}}
            recorded |= {"stage1": stage1 and f"{stage1}{fold}", "package": "v1"}
            (folder / "seed0" / f"fold{fold}" / "finetune.json").write_text(json.dumps(recorded))
            if of.pretrain is not None and of.pretrain.from_ is None:
                path = folder / "seed0" / f"fold{fold}" / "pretrain.json"
                path.write_text(json.dumps({"pretrain": of.tracked("pretrain")}))
        files[name] = now or of
        return folder

    def differing(*names):
        return differing_settings([read_run(name, tmp_path / "results") for name in names], files.get)

    write.files = files
    return write, differing


def test_a_stage_1_of_another_data_set_is_that_of_everybody_there(trained, tmp_path):
    write, differing = trained
    write("a", params(pretrain={"from": "plus"}))
    write("b", params(pretrain={"from": "other"}))
    for source, epochs in (("plus", 3.0), ("other", 4.0)):
        folder = tmp_path / "results" / source / "seed0" / "foldall"
        folder.mkdir(parents=True)
        of_source = {"pretrain": params(pretrain={"epochs": epochs}).tracked("pretrain")}
        (folder / "pretrain.json").write_text(json.dumps(of_source))
    assert differing("a", "b").values == {"pretrain.epochs": ["3.0", "4.0"]}


def test_only_what_differs_is_told(trained):
    write, differing = trained
    write("a")
    write("b", params(finetune={"epochs": 3, "optimiser": {"warmup": 0.2}}, evaluate={"bootstrap": 7}))
    found = differing("a", "b")
    assert found.values == {
        "finetune.epochs": ["10", "3"],
        "finetune.optimiser.layer_decay": ["0.7", "1.0"],
        "finetune.optimiser.warmup": ["0.1", "0.2"],
    }
    assert found.notes == []


def test_keys_that_change_no_result_are_not_told(trained):
    write, differing = trained
    write("a")
    write("b", params(finetune={"workers": 4}, pretrain={"checkpoint": {"every_seconds": 9}}))
    assert differing("a", "b").values == {}


def test_a_stage_1_of_another_run_is_no_difference_to_it(trained):
    write, differing = trained
    write("a")
    write("b", params(pretrain={"from": "a"}, finetune={"head": "linear"}))
    found = differing("a", "b")
    assert found.values == {"finetune.head": ["text", "linear"]}
    assert found.notes == []


def test_a_stage_1_that_is_another_file_for_no_reason_is_told(trained):
    """The other run's stage 1 was trained again since this run took it."""
    write, differing = trained
    write("a")
    write("b", params(pretrain={"from": "a"}), stage1="older")
    write("c", params(pretrain={"epochs": 2}), stage1="cccc")
    assert differing("a", "b").notes == [
        "Their stage 1 is not the same file, though all settings that it follows from are the same."
    ]
    assert differing("a", "c").notes == []


def test_a_stage_1_from_elsewhere_has_the_settings_it_was_trained_with(trained):
    write, differing = trained
    write("a", params(pretrain={"epochs": 2}), now=params(pretrain={"epochs": 9}))
    write("b", params(pretrain={"from": "a", "epochs": 4}), stage1="bbbb")
    write("c", params(pretrain={"epochs": 3}), stage1="cccc")
    assert differing("b", "c").values == {"pretrain.epochs": ["2.0", "3.0"]}


def test_a_stage_that_is_switched_off_is_one_line(trained):
    write, differing = trained
    write("a")
    write("b", params(pretrain=None), stage1=None)
    assert differing("a", "b").values == {"pretrain": ["given", "none"]}


def test_what_a_run_was_trained_with_counts_and_not_its_file_of_today(trained):
    write, differing = trained
    write("a", now=params(finetune={"epochs": 99}))
    write("b", params(finetune={"epochs": 3}))
    found = differing("a", "b")
    assert found.values == {"finetune.epochs": ["10", "3"]}
    assert found.notes == ["a: its params file has changed since it was trained (finetune.epochs)."]


def test_edited_texts_are_told(trained):
    write, differing = trained
    write("a")
    write("b", texts=[TEXTS[0], ["apple cheeks", "cheeks up"], TEXTS[2]])
    assert differing("a", "b").values == {"texts of.AU06": ["cheek raiser: cheeks up", "apple cheeks: cheeks up"]}


def test_edited_templates_are_told(trained):
    write, differing = trained
    write("a")
    write("b", absent="without {}")
    assert differing("a", "b").values == {"templates.absent": ["no {}", "without {}"]}


def test_a_run_without_its_params_file_is_compared_by_what_it_recorded(trained):
    write, differing = trained
    write("a")
    write("b", params(finetune={"epochs": 3}))
    write.files.pop("b")
    found = differing("a", "b")
    assert found.values == {"finetune.epochs": ["10", "3"]}
    assert found.notes == ["b: no params file any more; only what its training recorded is compared."]


def test_small_results_without_weights_are_compared_by_their_params_files(finish, tmp_path):
    for name in ("a", "b"):
        finish(name)
    runs = [read_run(name, tmp_path / "results") for name in ("a", "b")]
    files = {"a": params(), "b": params(crop={"size": 128})}
    assert differing_settings(runs, files.get).values == {"crop.size": ["256", "128"]}


def test_other_code_is_told(trained):
    write, differing = trained
    write("a")
    path = write("b") / "seed0" / "fold0" / "finetune.json"
    path.write_text(path.read_text().replace('"v1"', '"v2"'))
    assert differing("a", "b").notes == ["The runs were trained with different versions of the package's code."]
