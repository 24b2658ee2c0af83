import pytest

from clef.reports.provenance import UNKNOWN, facts, read_trainings, texts_table, training_table
from clef.training.metrics_file import MetricsFile
from tests.reports.conftest import TAGS, make_record, write_training


@pytest.fixture
def folds(tmp_path):
    folders = [tmp_path / f"fold{number}" for number in range(3)]
    for number, folder in enumerate(folders):
        write_training(folder, number)
    return folders


def test_devices_and_times_of_each_stage(folds):
    table = training_table(read_trainings(folds, folds[:1]))
    device = "cuda (NVIDIA H200)"
    assert table.rows == [
        ["stage 1", "1", device, "100", "1 min 30 s", "1 min 30 s"],
        ["stage 2", "3", device, "100", "1 min 31 s", "4 min 33 s"],
    ]


def test_the_pause_of_an_interrupted_training_does_not_count(folds):
    weights = folds[0] / "finetune.safetensors"
    metrics = MetricsFile(weights.with_suffix(".metrics.jsonl"))
    metrics.cut_back(0)
    lines = "".join(f'{{"step": {step}, "time": {time}}}\n' for step, time in enumerate((1010, 1020, 5000, 5010)))
    metrics.path.write_text(lines)
    make_record(weights, started=1000.0, resumed=4990.0, ended=5015.0)
    (training,) = read_trainings(folds[:1], [])
    assert training.seconds == 20 + 25
    metrics.path.write_text("nonsense\n")
    (training,) = read_trainings(folds[:1], [])
    assert training.seconds is None
    metrics.path.unlink()
    (training,) = read_trainings(folds[:1], [])
    assert training.seconds == 25


def test_facts_list_every_value_once_and_no_host(folds):
    found = facts(read_trainings(folds, folds))
    assert found["commit"] == "a" * 40
    assert found["versions"] == "torch 2.15.0"
    assert found["fingerprint of the crops"] == "eyes 1 2, size 72"
    assert "m" * 64 in found.values()
    assert "secret" not in str(found)
    make_record(folds[1] / "finetune.safetensors", TAGS | {"git.dirty": "true"}, started=0.0, resumed=0.0, ended=1.0)
    assert facts(read_trainings(folds, folds))["commit"] == f"{'a' * 40}; {'a' * 40}, with uncommitted changes"


def test_missing_and_damaged_files_are_not_recorded(folds):
    for name in ("finetune.track.json", "finetune.metrics.jsonl"):
        (folds[0] / name).unlink()
    (folds[1] / "finetune.track.json").write_text("{")
    (folds[1] / "finetune.json").write_text("[")
    (folds[2] / "finetune.json").unlink()
    trainings = read_trainings(folds, [])
    assert training_table(trainings).rows == [["stage 2", "1", UNKNOWN, "100", UNKNOWN, UNKNOWN]]
    assert facts(trainings)["commit"] == UNKNOWN
    assert training_table([]).rows == []


def test_texts_are_those_of_the_training(folds):
    trainings = read_trainings(folds, [])
    table = texts_table(trainings)
    assert [row[0] for row in table.rows] == ["AU01", "AU06", "AU12"]  # and not the label that is tested
    assert table.rows[0] == ["AU01", "name 0", "text <0>"]
    assert "name: “a photo of {}”; descriptions: “{}”, “{}!”" in table.caption
    for training in trainings:
        training.sidecar["finetune"]["head"] = "vectors"
    assert texts_table(trainings) is None
    assert texts_table([]) is None
