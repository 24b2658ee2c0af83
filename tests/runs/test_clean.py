import os
import time
from pathlib import Path

import pytest

from clef.errors import ClefError
from clef.params.schema import Params
from clef.runs.clean import Leftover, leftovers, lost, remove, require_no_workflow, size
from clef.runtime.files import temporary_path
from clef.runtime.lease import leased


def params(**changes) -> Params:
    return Params.model_validate({"dataset": {"adapter": "demo"}, "render": {}, "device": "cpu"} | changes)


RUNS = {"demo": params(), "linear": params(pretrain={"from": "demo"})}
DIGEST = RUNS["demo"].crop_digest


def write(path: Path, content: str = "0123456789") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def found(root: Path, **options) -> set[str]:
    return {item.path.relative_to(root).as_posix() for item in leftovers(root, RUNS, **options)}


def test_crops_and_manifests_that_no_run_uses_can_go(tmp_path):
    for digest in (DIGEST, "00000000"):
        write(tmp_path / f"data/interim/demo/{digest}/F001.arrow")
        write(tmp_path / f"data/processed/demo/{digest}/manifest.parquet")
    write(tmp_path / "data/interim/demo/sequences.parquet")
    write(tmp_path / "data/interim/demo/sequences/F001.parquet")
    assert found(tmp_path) == {"data/interim/demo/00000000", "data/processed/demo/00000000"}


def test_crops_of_the_same_settings_of_another_data_set_can_go(tmp_path):
    write(tmp_path / f"data/interim/gone/{DIGEST}/F001.arrow")
    assert found(tmp_path) == {f"data/interim/gone/{DIGEST}"}


def test_work_folders_can_go_unless_somebody_works_in_them(tmp_path):
    idle, busy = (tmp_path / f"results/demo/seed0/fold{fold}/pretrain.work" for fold in (0, 1))
    write(idle / "recovery.pt")
    write(busy / "recovery.pt")
    with leased(busy.with_suffix(".safetensors")):
        assert found(tmp_path) == {"results/demo/seed0/fold0/pretrain.work"}
        with pytest.raises(ClefError, match="already at work on it"):
            remove(tmp_path, Leftover(busy, "", 0))
    assert (busy / "recovery.pt").exists()
    remove(tmp_path, Leftover(idle, "", 0))
    assert list(idle.parent.iterdir()) == []


def test_unused_crops_stay_while_somebody_makes_them(tmp_path):
    shard = write(tmp_path / "data/interim/demo/00000000/F001.arrow")
    with leased(shard):
        assert found(tmp_path) == set()


def test_half_written_files_can_go_once_nobody_writes_them(tmp_path):
    old, fresh = write(tmp_path / "results/demo/.old.json.partial"), write(tmp_path / "results/demo/.new.json.partial")
    os.utime(old, (time.time() - 7200,) * 2)
    assert found(tmp_path) == {"results/demo/.old.json.partial"}
    assert fresh.exists()


def test_a_half_written_file_goes_when_its_writer_has_ended_and_not_before(tmp_path):
    mine = write(temporary_path(tmp_path / "results/demo/mine.json"))
    os.utime(mine, (time.time() - 7200,) * 2)
    gone = write(mine.with_name(mine.name.replace(f"-{os.getpid()}-", "-4194305-")))
    assert found(tmp_path) == {gone.relative_to(tmp_path).as_posix()}


def test_what_lies_in_a_folder_that_goes_is_listed_once(tmp_path):
    write(tmp_path / "data/interim/demo/00000000/F001.work/part.arrow")
    (item,) = leftovers(tmp_path, RUNS)
    assert item.path == tmp_path / "data/interim/demo/00000000"
    assert item.size == 10


def test_results_without_params_file_go_only_when_asked_for(tmp_path):
    write(tmp_path / "results/forgotten/seed0/fold0/metrics.json")
    write(tmp_path / "results/demo/seed0/fold0/metrics.json")
    write(tmp_path / "results/mlartifacts/1/file")
    assert found(tmp_path) == set()
    assert lost(tmp_path, RUNS) == [tmp_path / "results/forgotten"]
    assert found(tmp_path, lost_results=True) == {"results/forgotten"}


@pytest.mark.parametrize(
    ("finished", "gone"), [(["demo", "linear"], True), (["demo"], False), (["linear"], False), ([], False)]
)
def test_stage_1_goes_when_asked_for_and_all_who_start_from_it_are_done(finished, gone, tmp_path):
    weights = write(tmp_path / "results/demo/seed0/fold0/pretrain.safetensors")
    write(tmp_path / "results/demo/seed0/fold0/finetune.safetensors")
    for run in finished:
        write(tmp_path / f"results/{run}/summary.csv")
    assert found(tmp_path) == set()
    assert found(tmp_path, stage1_weights=True) == ({weights.relative_to(tmp_path).as_posix()} if gone else set())


def test_raw_data_is_never_touched(tmp_path):
    old = write(tmp_path / "data/raw/demo/.F001.mp4.partial")
    os.utime(old, (0, 0))
    write(tmp_path / "data/raw/demo/00000000/file")
    write(tmp_path / "data/raw/demo/F001.work/file")
    assert found(tmp_path, lost_results=True, stage1_weights=True) == set()
    (tmp_path / "data/interim").mkdir(parents=True)
    (tmp_path / "data/interim/link").symlink_to(tmp_path / "data/raw/demo")
    assert found(tmp_path) == set()
    for path in ("data/raw/demo/F001.work", "data/interim/link/F001.work", "data/raw/demo"):
        with pytest.raises(ClefError, match="left alone"):
            remove(tmp_path, Leftover(tmp_path / path, "", 0))
    assert (tmp_path / "data/raw/demo/F001.work/file").exists()


def test_raw_data_under_another_name_is_raw_data(tmp_path):
    write(tmp_path / "data/raw/demo/00000000/file")
    (tmp_path / "data/interim").symlink_to(tmp_path / "data/raw")
    with pytest.raises(ClefError, match="left alone"):
        remove(tmp_path, Leftover(tmp_path / "data/interim/demo/00000000", "", 0))
    assert (tmp_path / "data/raw/demo/00000000/file").exists()


def test_nothing_goes_while_a_workflow_holds_its_lock(tmp_path):
    require_no_workflow(tmp_path)
    write(tmp_path / ".snakemake/locks/0.output.lock")
    with pytest.raises(ClefError, match="a workflow is at work here"):
        require_no_workflow(tmp_path)


def test_links_are_not_followed_in_sizes(tmp_path):
    write(tmp_path / "a/file")
    (tmp_path / "a/link").symlink_to(write(tmp_path / "large", "0" * 1000))
    assert size(tmp_path / "a") == 10
