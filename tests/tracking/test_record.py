import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
from hypothesis import given
from hypothesis import strategies as st

from clef.tracking.record import (
    Data,
    Process,
    Record,
    Unit,
    as_plain,
    read_record,
    record_path,
    records_below,
    run_folder,
)

UNIT = Unit("demo", "demo fold 0", "k", "c", {"lr": "0.1"}, {"run": "demo"})
RECORD = Record(UNIT, UNIT, Data("demo", "d", "m.parquet"), Process.own(), 12.5, "failed", 13.5, 7, {"a.json": "h"})


def test_a_record_is_read_as_it_was_written(tmp_path):
    for record in (RECORD, Record(UNIT, None, None, Process.own(), 1.0)):
        record.write(tmp_path / "x.track.json")
        assert read_record(tmp_path / "x.track.json") == record


def test_no_file_half_a_file_and_one_of_another_version_are_no_record(tmp_path):
    path = tmp_path / "x.track.json"
    assert read_record(path) is None
    RECORD.write(path)
    whole = path.read_text()
    path.write_text(whole[:50])
    assert read_record(path) is None
    path.write_text(json.dumps({**json.loads(whole), "colour": "blue"}))
    assert read_record(path) is None


def test_a_process_has_died_when_it_ended_or_when_its_number_is_anothers():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process(Process.own().host, child.pid, psutil.Process(child.pid).create_time())
    assert not process.died()
    assert Process(process.host, process.number, process.started - 5).died()
    assert not Process("elsewhere", 1, 0.0).died()
    child.kill()
    child.wait()
    assert process.died()


def test_a_killed_process_that_nobody_waited_for_has_died():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = Process(Process.own().host, child.pid, psutil.Process(child.pid).create_time())
    child.kill()
    psutil.wait_procs([], timeout=0)
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert process.died()
    child.wait()


def test_the_run_of_an_output_is_found_from_where_it_lies():
    assert run_folder(Path("results/demo/seed0/fold2/finetune.safetensors")).name == "demo"
    assert run_folder(Path("results/demo/run.track.json")).name == "demo"


def test_the_record_of_the_run_comes_after_those_of_its_trainings_in_their_order(tmp_path):
    order = ["seed0/fold1/pretrain", "seed0/fold1/finetune", "seed0/fold0/finetune", "run"]
    for started, name in enumerate(order):
        replace(RECORD, started=float(started)).write(tmp_path / f"{name}.track.json")
    assert records_below(tmp_path) == [tmp_path / f"{name}.track.json" for name in order]
    assert record_path(tmp_path / "seed0/fold1/finetune.safetensors") in records_below(tmp_path)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6))
def test_a_number_keeps_its_value_as_text(value):
    assert abs(float(as_plain(value)) - value) <= 1e-11 * max(1, abs(value))


def test_values_are_short_text():
    assert [as_plain(v) for v in (None, True, [1, 2], 1e-5, 20.0, [])] == ["none", "true", "1 2", "1e-05", "20", "none"]
