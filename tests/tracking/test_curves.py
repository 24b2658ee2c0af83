import pytest

from clef.tracking.curves import checkpoint_step, read_points
from clef.training.checkpoint import Recovery


@pytest.mark.parametrize(
    "damaged", ['{"step": 2, "ti', "\x00\x00\x00\x00", "3", "null", "[]", '{"step": "2", "time": 1, "a": 1}', "{}"]
)
def test_a_damaged_line_costs_only_its_own_points(tmp_path, damaged):
    path = tmp_path / "m.jsonl"
    path.write_text(f'{{"step": 1, "time": 5, "a": 1}}\n{damaged}\n{{"step": 3, "time": 6, "a": 1}}\n{{"step": 4, "ti')
    assert [point.step for point in read_points(path)] == [1, 3]


def test_points_keep_the_time_of_their_line(tmp_path):
    path = tmp_path / "m.jsonl"
    assert not list(read_points(path))
    path.write_text('{"step": 4, "time": 1700000000.1239, "train/loss": 1, "note": "text"}\n')
    (point,) = read_points(path)
    assert (point.key, point.value, point.step, point.timestamp) == ("train/loss", 1.0, 4, 1700000000123)


def test_the_checkpoint_step_belongs_to_this_training(tmp_path):
    work = tmp_path / "x.work"
    assert checkpoint_step(work, "key") == 0
    recovery = Recovery(work, "key")
    assert checkpoint_step(work, "key") == 0
    recovery.save(40, {}, {})
    assert checkpoint_step(work, "key") == 40
    assert checkpoint_step(work, "another") == 0
