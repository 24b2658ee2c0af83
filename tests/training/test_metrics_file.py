from clef.training.metrics_file import MetricsFile


def test_cut_back_drops_the_records_that_a_resumed_training_repeats(tmp_path):
    metrics = MetricsFile(tmp_path / "m.jsonl")
    metrics.cut_back(0)
    assert metrics.read() == []
    for step in range(1, 6):
        metrics.append(step, {"train/loss": 1 / step})
    before = metrics.read()
    metrics.cut_back(3)
    metrics.append(4, {"train/loss": 0.0})
    assert metrics.read()[:3] == before[:3]
    assert [record["step"] for record in metrics.read()] == [1, 2, 3, 4]


def test_a_line_that_a_kill_cut_off_is_ignored(tmp_path):
    metrics = MetricsFile(tmp_path / "m.jsonl")
    metrics.append(1, {"train/loss": 0.5})
    with open(metrics.path, "a") as file:
        file.write('{"step": 2, "tra')
    assert [record["step"] for record in metrics.read()] == [1]
    metrics.cut_back(1)
    metrics.append(2, {"train/loss": 0.25})
    assert [record["step"] for record in metrics.read()] == [1, 2]
