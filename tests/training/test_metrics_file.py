from clef.training.metrics_file import MetricsFile


def test_a_resumed_training_repeats_records_and_ignores_a_line_that_a_kill_cut_off(tmp_path):
    metrics = MetricsFile(tmp_path / "m.jsonl")
    metrics.cut_back(0)
    assert metrics.read() == []
    for step in range(1, 6):
        metrics.append(step, {"train/loss": 1 / step})
    before = metrics.read()
    with open(metrics.path, "a") as file:
        file.write('{"step": 6, "tra')
    assert metrics.read() == before
    metrics.cut_back(3)
    metrics.append(4, {"train/loss": 0.0})
    assert metrics.read()[:3] == before[:3]
    assert [record["step"] for record in metrics.read()] == [1, 2, 3, 4]
