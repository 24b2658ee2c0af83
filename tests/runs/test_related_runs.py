"""Runs that refer to each other must fit together."""

from pathlib import Path

import pytest

from clef.params.schema import ParamsError
from clef.runs.related_runs import also_in_stage1, load_run, stage1_source
from tests.runs.conftest import BASE, DISFA, PLUS, STILLS, write

UNSEEN = {"activities": "unseen"}


def error_of(folder: Path, run: str) -> str:
    with pytest.raises(ParamsError) as caught:
        load_run(run, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_run_is_loaded_with_the_runs_that_it_refers_to_and_no_others(tmp_path):
    tested = {"test": {"run": "run"}}
    write(tmp_path, "plus", **PLUS)
    write(tmp_path, "source", **BASE, pretrain={"also": ["plus"]})
    write(tmp_path, "run", extends="source", pretrain={"also": [], "from": "source"})
    write(tmp_path, "tested", **PLUS | {"dataset": {"adapter": "demo", "name": "z"}, "render": {"seed": 9}}, **tested)
    write(tmp_path, "broken", finetun={})
    assert list(load_run("plus", tmp_path)) == ["plus"]
    assert set(load_run("run", tmp_path)) == {"run", "source", "plus"}
    assert set(load_run("tested", tmp_path)) == {"tested", "run", "source", "plus"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pretrain": {"from": "pluss"}}, "pretrain.from: no run pluss; did you mean plus?"),
        ({"pretrain": {"from": "none"}}, "pretrain.from: run none trains no stage 1"),
        ({"pretrain": {"from": "own"}, "crop": {"size": 100}}, "pretrain.from: crop differs from that of own"),
        ({"pretrain": {"from": "own"}, "seeds": [0, 9]}, "pretrain.from: run own has no seed 9"),
        ({"pretrain": {"from": "plus"}, "model": {"name": "clef-tiny"}}, "pretrain.from: model differs from that of"),
        ({"pretrain": {"from": "plus"}, "crop": {"size": 100}}, "pretrain.from: crop differs from that of plus"),
        ({"pretrain": {"from": "twin"}}, "pretrain.from: twin: its data set twin has the same subjects as demo, under"),
        ({"pretrain": {"from": "leaky"}}, "its stage 1 trains on demo, through pretrain.also, and the run tests on it"),
        ({**DISFA, "pretrain": {}}, "pretrain: disfa has no activities to contrast; expected stage 1 of another run"),
        ({"pretrain": {"also": ["plus", "second"]}}, "pretrain.also: second is over plus, which takes part already"),
        ({"pretrain": {"also": ["plus"]}, "crop": {"size": 100}}, "pretrain.also: crop differs from that of plus"),
        ({"pretrain": {"also": ["stills"]}}, "pretrain.also: stills: stills has no activities to contrast"),
        ({"pretrain": {"also": ["plus"]}, "test": {"run": "plus"}}, "its stage 1 trains on plus, through pretrain."),
        ({"pretrain": {"from": "plus"}, "folds": UNSEEN}, "pretrain.from: plus trains on the activity cold_water, "),
        ({"pretrain": None, "finetune": {"replaces_stage1_of": "leaky"}}, "stage 1 of leaky also trains on own, whose"),
        ({"test": {"run": "own"}}, "test.run: own is over the same data set demo"),
        ({"test": {"run": "twin"}}, "test.run: twin: its data set twin has the same subjects"),
        ({"test": {"run": "plus"}, "crop": {"size": 99}}, "test.run: crop differs from that of plus"),
        ({"test": {"run": "disfa"}}, "labels: disfa has no label AU07; expected some of AU01, AU02, AU04, AU06, AU12"),
        ({"test": {"run": "plus"}, "tune": {}}, "tune needs a test on the same data set"),
    ],
)
def test_a_run_that_does_not_fit_another_is_refused(tmp_path, changes, message):
    write(tmp_path, "plus", **PLUS)
    write(tmp_path, "second", extends="plus")
    write(tmp_path, "own", **BASE)
    write(tmp_path, "none", **BASE, pretrain=None)
    write(tmp_path, "twin", **BASE | {"dataset": {"adapter": "demo", "name": "twin"}})
    write(tmp_path, "leaky", extends="plus", pretrain={"also": ["own"]})
    write(tmp_path, "stills", **STILLS)
    write(tmp_path, "disfa", **DISFA)
    path = write(tmp_path, "run", **BASE | changes)
    error = error_of(tmp_path, "run")
    assert error.startswith(f"{path}: ")
    assert message in error


def test_a_stage_1_of_another_data_set_may_share_no_activity_that_a_fold_leaves_out(tmp_path):
    options = {"activities": {"a": "song", "b": "dart"}}
    other = {"dataset": {"adapter": "folder", "name": "other", "options": options}, "device": "cpu"}
    other |= {"folds": {"protocol": "given", "test_subjects": [["P01"], ["P02"]]}}
    write(tmp_path, "other", **other)
    write(tmp_path, "run", **BASE, pretrain={"from": "other"}, folds=UNSEEN)
    assert set(load_run("run", tmp_path)) == {"run", "other"}
    write(tmp_path, "plus", **PLUS)
    write(tmp_path, "other", **other, pretrain={"also": ["plus"]})
    assert "pretrain.from: plus trains on the activity cold_water" in error_of(tmp_path, "run")


@pytest.mark.parametrize("key", [{"pretrain": {"from": "plus"}}, {"test": {"run": "plus"}}])
def test_settings_that_change_no_result_may_differ(tmp_path, key):
    write(tmp_path, "plus", **PLUS, pretrain={"tower": {"gradient_checkpointing": True}})
    write(tmp_path, "run", **BASE, **key, crop={"batch": 4}, finetune={"tower": {"compile": True}})
    assert load_run("run", tmp_path)["run"].crop.batch == 4
    write(tmp_path, "run", **BASE, **key, crop={"batch": 4, "every": 2})
    assert "crop differs from that of plus" in error_of(tmp_path, "run")


def test_a_cropped_data_set_may_start_from_one_that_is_not(tmp_path):
    write(tmp_path, "plus", **PLUS)
    write(tmp_path, "run", **BASE, pretrain={"from": "plus"}, crop={"detector": "none", "size": 100})
    assert stage1_source(load_run("run", tmp_path), "run", 0) == ("plus", "all")


def test_one_data_set_under_two_names_has_the_same_subjects(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "images", dataset={"adapter": "bp4d"})
    write(tmp_path, "videos", dataset={"adapter": "bp4d", "name": "bp4d-videos"}, pretrain={"from": "images"})
    assert "images: its data set bp4d has the same subjects as bp4d-videos" in error_of(tmp_path, "videos")
    own = {"folds": {"protocol": "given", "test_subjects": [["P01"], ["P02"]]}, "device": "cpu"}
    options = {"activities": {"joke": "joke", "song": "song"}}
    write(tmp_path, "a", **own, dataset={"adapter": "folder", "name": "a", "options": options})
    write(tmp_path, "b", **own, dataset={"adapter": "folder", "name": "b"}, pretrain={"from": "a"})
    Path("data/raw/a").mkdir(parents=True)
    assert set(load_run("b", tmp_path)) == {"a", "b"}
    Path("data/raw/b").symlink_to("a")
    assert "pretrain.from: a: its data set a has the same subjects as b" in error_of(tmp_path, "b")


def test_stage_1_comes_from_the_same_fold_or_from_fold_all_of_another_data_set(tmp_path):
    write(tmp_path, "plus", **PLUS)
    write(tmp_path, "own", **BASE, pretrain={"also": ["plus"]})
    write(tmp_path, "same", **BASE, pretrain={"from": "own"})
    write(tmp_path, "other", **BASE, pretrain={"from": "plus"}, folds={"number": 2})
    write(tmp_path, "none", **BASE, pretrain=None)
    runs = {run: params for name in ("same", "other", "none") for run, params in load_run(name, tmp_path).items()}
    sources = {"plus": ("plus", 1), "own": ("own", 1), "same": ("own", 1), "other": ("plus", "all"), "none": None}
    assert {run: stage1_source(runs, run, 1) for run in runs} == sources
    also = {"plus": [], "own": ["plus"], "same": ["plus"], "other": [], "none": []}
    assert {run: also_in_stage1(runs, run) for run in runs} == also
