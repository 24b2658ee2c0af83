import json
from dataclasses import replace

from clef.tracking.record import Record, RunDescription, read_record, record_path, records_below

RUN = RunDescription("demo", "demo fold 0", "k", "c", {"lr": "0.1"}, {"run": "demo"})
RECORD = Record(RUN, RUN, "m.parquet", "0123", 12.5, 12.5, "failed", 13.5, 7, {"a.json": "h"})


def test_missing_damaged_and_older_files_are_no_records(tmp_path):
    path = tmp_path / "x.track.json"
    assert read_record(path) is None
    RECORD.write(path)
    text = path.read_text()
    for other in (text[:50], json.dumps({**json.loads(text), "colour": "blue"})):
        path.write_text(other)
        assert read_record(path) is None


def test_records_are_listed_in_the_order_of_their_start_and_the_run_last(tmp_path):
    order = ["seed0/fold1/pretrain", "seed0/fold1/finetune", "seed0/fold0/finetune", "run"]
    for started, name in enumerate(order):
        replace(RECORD, started=float(started)).write(tmp_path / f"{name}.track.json")
    assert records_below(tmp_path) == [tmp_path / f"{name}.track.json" for name in order]
    assert record_path(tmp_path / "seed0/fold1/finetune.safetensors") in records_below(tmp_path)
