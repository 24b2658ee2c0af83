import os
import time
from pathlib import Path

import pytest

from clef.errors import ClefError
from clef.params.schema import Params
from clef.runs.clean import find_orphaned_results, leftovers, remove, require_no_workflow
from clef.runtime.files import temporary_path
from clef.runtime.lease import leased
from tests.runs.conftest import BASE

RUNS = {name: Params.model_validate(BASE | {"pretrain": {"from": of}}) for name, of in (("demo", None), ("b", "demo"))}
DIGEST = RUNS["demo"].crop_digest


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("0123456789")
    return path


def found(root: Path, broken=(), **options) -> set[str]:
    return {item.path.relative_to(root).as_posix() for item in leftovers(root, RUNS, broken, **options)}


def test_crops_and_manifests_that_no_run_uses_can_be_removed(tmp_path):
    for digest in (DIGEST, "00000000"):
        write(tmp_path / f"data/interim/demo/{digest}/F001.arrow")
        write(tmp_path / f"data/processed/demo/{digest}/manifest.parquet")
    write(tmp_path / "data/interim/demo/sequences/F001.parquet")
    write(tmp_path / f"data/interim/other/{DIGEST}/F001.arrow")
    unused = {"data/interim/demo/00000000", "data/processed/demo/00000000", f"data/interim/other/{DIGEST}"}
    assert found(tmp_path) == unused
    with leased(tmp_path / "data/interim/demo/00000000/F002.arrow"):
        assert found(tmp_path) == unused - {"data/interim/demo/00000000"}
    assert found(tmp_path, broken=["other"]) == set()


def test_work_folders_can_be_removed_unless_a_process_uses_them(tmp_path):
    idle, busy = (tmp_path / f"results/demo/seed0/fold{fold}/pretrain.work" for fold in (0, 1))
    write(idle / "recovery.pt")
    write(busy / "recovery.pt")
    with leased(busy.with_suffix(".safetensors")):
        assert found(tmp_path) == {"results/demo/seed0/fold0/pretrain.work"}
        with pytest.raises(ClefError, match="already working on it"):
            remove(tmp_path, busy)
    assert (busy / "recovery.pt").exists()
    remove(tmp_path, idle)
    assert not idle.exists()
    write(tmp_path / "results/x.work/seed0/fold0/finetune.safetensors")
    write(tmp_path / "data/interim/y.work/sequences.parquet")
    write(tmp_path / "results/mlartifacts/y.work/0123/artifacts/f1.svg")
    assert found(tmp_path) == {busy.relative_to(tmp_path).as_posix()}, "names of runs and data sets may end in .work"


def test_incomplete_files_can_be_removed_once_their_process_is_dead_or_they_are_old(tmp_path):
    old = write(tmp_path / "results/demo/.old.json.partial")
    write(tmp_path / "results/demo/.new.json.partial")
    mine = write(temporary_path(tmp_path / "results/demo/mine.json"))
    dead = write(mine.with_name(mine.name.replace(f"-{os.getpid()}-", "-4194305-")))
    for path in (old, mine):
        os.utime(path, (time.time() - 7200,) * 2)
    assert found(tmp_path) == {path.relative_to(tmp_path).as_posix() for path in (old, dead)}


def test_the_contents_of_a_listed_folder_are_not_listed_and_links_not_followed_in_sizes(tmp_path):
    write(tmp_path / "data/interim/demo/00000000/F001.work/part.arrow")
    (tmp_path / "data/interim/demo/00000000/link").symlink_to(write(tmp_path / "other"))
    (item,) = leftovers(tmp_path, RUNS)
    assert (item.path, item.size) == (tmp_path / "data/interim/demo/00000000", 10)


def test_results_without_params_file_are_listed_on_request(tmp_path):
    write(tmp_path / "results/forgotten/seed0/fold0/metrics.json")
    write(tmp_path / "results/demo/seed0/fold0/metrics.json")
    write(tmp_path / "results/mlartifacts/1/file")
    assert found(tmp_path) == set()
    assert find_orphaned_results(tmp_path, RUNS) == [tmp_path / "results/forgotten"]
    assert found(tmp_path, orphaned_results=True) == {"results/forgotten"}
    assert found(tmp_path, broken=["forgotten"], orphaned_results=True) == set()


@pytest.mark.parametrize(("finished", "listed"), [(["demo", "b"], True), (["demo"], False), (["b"], False)])
def test_stage_1_is_listed_on_request_if_every_run_that_starts_from_it_is_finished(finished, listed, tmp_path):
    weights = write(tmp_path / "results/demo/seed0/fold0/pretrain.safetensors")
    write(tmp_path / "results/demo/seed0/fold0/finetune.safetensors")
    for run in finished:
        write(tmp_path / f"results/{run}/summary.csv")
    assert found(tmp_path) == set()
    assert found(tmp_path, stage1_weights=True) == ({weights.relative_to(tmp_path).as_posix()} if listed else set())
    assert found(tmp_path, broken=["other"], stage1_weights=True) == set()


def test_raw_data_is_never_touched(tmp_path):
    os.utime(write(tmp_path / "data/raw/demo/.F001.mp4.partial"), (0, 0))
    kept = [write(tmp_path / f"data/raw/demo/{name}/file") for name in ("00000000", "F001.work")]
    (tmp_path / "data/interim").mkdir(parents=True)
    (tmp_path / "data/interim/link").symlink_to(tmp_path / "data/raw/demo")
    (tmp_path / "data/processed").symlink_to(tmp_path / "data/raw")
    found(tmp_path, orphaned_results=True, stage1_weights=True)
    for path in ("raw/demo", "raw/demo/F001.work", "interim/link/F001.work", "processed/demo/00000000"):
        with pytest.raises(ClefError, match="not removed"):
            remove(tmp_path, tmp_path / "data" / path)
    assert all(path.exists() for path in kept)


def test_nothing_is_removed_while_a_workflow_holds_its_lock(tmp_path):
    require_no_workflow(tmp_path)
    write(tmp_path / ".snakemake/locks/0.output.lock")
    with pytest.raises(ClefError, match="a workflow is running here"):
        require_no_workflow(tmp_path)
