"""Params, folds and shards of a run, and of the other data sets that it tests or trains on."""

import pytest
import yaml

from clef.cli import find_run
from clef.errors import ClefError

PLUS = {
    "dataset": {"adapter": "demo", "name": "plus"},
    "render": {"seed": 5, "subjects": 4},
    "labels": {"action_units": [1, 4], "threshold": 1},
    "test": {"run": "second"},
}
SECOND = {
    "dataset": {"adapter": "demo", "name": "second"},
    "render": {"seed": 9, "subjects": 3},
    "labels": {"action_units": [1, 2, 4], "threshold": 2},
}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    for name, params in {"plus": PLUS, "second": SECOND}.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setattr(find_run.settings, "params_folder", tmp_path)
    return {name: find_run.run_params(name) for name in ("plus", "second")}


def test_every_subject_of_the_other_data_set_is_tested_at_its_own_threshold(runs, tmp_path):
    tested = find_run.other_test_data(runs["plus"], tmp_path / "manifest.parquet", tmp_path / "crops")
    assert tested is not None
    assert tested.dataset == "second"
    assert tested.fold.test_subjects == ("F001", "F002", "M001")
    assert (tested.labels.names, tested.labels.threshold) == (["AU01", "AU04"], 2)
    assert set(tested.inputs.shards.values()) == {tmp_path / "crops" / f"{s}.arrow" for s in tested.fold.test_subjects}


def test_files_of_the_other_data_set_are_required_with_a_test_section_only(runs, tmp_path):
    assert find_run.other_test_data(runs["second"], None, None) is None
    with pytest.raises(ClefError, match="the run has no `test` section; leave both out"):
        find_run.other_test_data(runs["second"], tmp_path / "manifest.parquet", None)
    with pytest.raises(ClefError, match="expected those of second, which the run tests"):
        find_run.other_test_data(runs["plus"], tmp_path / "manifest.parquet", None)


def test_another_data_set_takes_part_in_stage_1_with_all_subjects(runs, tmp_path):
    section = runs["plus"].pretrain.model_copy(update={"also": ["second"]})
    params = runs["plus"].model_copy(update={"pretrain": section})
    (joined,) = find_run.also_sources(params, [tmp_path / "manifest.parquet"], [tmp_path / "crops"])
    assert (joined.dataset, joined.inputs.manifest) == ("second", tmp_path / "manifest.parquet")
    assert joined.fold.train_subjects == ("F001", "F002", "M001")
    assert joined.activities["T1"]
    assert find_run.also_sources(runs["plus"], [], []) == []
    with pytest.raises(ClefError, match="--also-manifest, --also-crops: expected one of each for second"):
        find_run.also_sources(params, [tmp_path / "manifest.parquet"], [])
    with pytest.raises(ClefError, match=r"expected none: the run's `pretrain.also` is empty"):
        find_run.also_sources(runs["plus"], [tmp_path / "manifest.parquet"], [tmp_path / "crops"])
