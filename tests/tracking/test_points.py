import json

import pytest

from clef.tracking.points import Tail, committed_step, points
from clef.tracking.system import append_sample
from clef.training.checkpoint import Recovery
from clef.training.metrics_file import MetricsFile


def steps(read):
    replaced, records = read
    return replaced, [record["step"] for record in records]


def test_a_tail_gives_each_whole_line_once(tmp_path):
    metrics = MetricsFile(tmp_path / "m.jsonl")
    tail = Tail(metrics.path)
    assert steps(tail.read()) == (False, [])
    metrics.append(1, {"a": 1})
    metrics.append(2, {"a": 1})
    assert steps(tail.read()) == (True, [1, 2])
    with open(metrics.path, "a") as file:
        file.write('{"step": 3, ')
    assert steps(tail.read()) == (False, [])
    with open(metrics.path, "a") as file:
        file.write('"time": 5}\n')
    assert steps(tail.read()) == (False, [3])


TORN = ['{"step": 2, "ti', "\x00\x00\x00\x00", "3", "null", "[]", '{"step": "2", "time": 1}', "{}"]


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_line_costs_itself_and_no_other(tmp_path, torn):
    path = tmp_path / "m.jsonl"
    path.write_text(f'{{"step": 1, "time": 5}}\n{torn}\n{{"step": 3, "time": 6}}\n')
    assert steps(Tail(path).read()) == (True, [1, 3])


def test_a_sample_after_an_unfinished_line_stands_for_itself(tmp_path):
    path = tmp_path / "finetune.system.jsonl"
    append_sample(path, {"system/a": 1.0})
    for torn in ('{"step": 2, "time": 17', '{"step": 2, "time": 17}'):
        with open(path, "a") as file:
            file.write(torn)
        append_sample(path, {"system/a": 2.0})
    assert steps(Tail(path).read()) == (True, [1, 2, 2, 3])
    assert path.read_text().endswith("\n")


def test_a_file_that_a_resume_cut_back_is_read_again_from_its_start(tmp_path):
    metrics = MetricsFile(tmp_path / "m.jsonl")
    for step in range(1, 6):
        metrics.append(step, {"a": 1})
    tail = Tail(metrics.path)
    tail.read()
    metrics.cut_back(2)
    for step in range(3, 9):
        metrics.append(step, {"a": 1})
    assert steps(tail.read()) == (True, [*range(1, 9)])


def test_points_carry_the_time_of_their_record(tmp_path):
    record = json.loads('{"step": 4, "time": 1700000000.1239, "train/loss": 0.5, "train/lr_factor": 1}')
    record["note"] = "no number"
    assert [(p.name, p.value, p.step, p.time) for p in points(record)] == [
        ("train/loss", 0.5, 4, 1700000000123),
        ("train/lr_factor", 1.0, 4, 1700000000123),
    ]


def test_the_committed_step_is_that_of_the_checkpoint_of_this_training(tmp_path):
    work = tmp_path / "x.work"
    assert committed_step(work, "key") == 0
    recovery = Recovery(work, "key")
    assert committed_step(work, "key") == 0
    recovery.save(40, {}, {})
    assert committed_step(work, "key") == 40
    assert committed_step(work, "another") == 0
    Recovery(work, "another")
    assert committed_step(work, "another") == 0
