"""On a full disk, nothing is left half-written; once there is space, the same call resumes."""

from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest

from clef.faces.shard import SCHEMA, write_shard
from clef.training.metrics_file import MetricsFile
from clef.training.pretrain import pretrain
from tests.mounts import mounted
from tests.toy import make_toy, toy_fold, toy_params


def fill(folder: Path, left: int) -> Path:
    """Use all space except about `left` bytes."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(4096)) == 4096:
                pass
        file.truncate(max(0, file.tell() - left))
    return filler


def test_a_shard_names_its_file_and_keeps_the_old_one(tmp_path):
    rows = pa.RecordBatch.from_pylist([{"sequence": "a" * 50_000, "frame": 1, "status": "no_face"}], schema=SCHEMA)
    with mounted(tmp_path / "disk", "size=40k") as disk:
        target = disk / "F001.arrow"
        target.write_text("old")
        with pytest.raises(OSError, match="No space left on device") as caught:
            write_shard(target, [rows], {}, "")
        assert str(caught.value.filename) == str(target)
        assert target.read_text() == "old"
        assert list(disk.iterdir()) == [target]


def test_training_keeps_its_checkpoint_and_resumes_to_the_same_weights(tmp_path):
    params = toy_params(pretrain={"epochs": 4, "checkpoint": {"every_steps": 2}})
    inputs = make_toy(tmp_path / "toy", params)

    def train(folder: Path) -> bytes:
        pretrain(params, 0, toy_fold(params), inputs, folder / "pretrain.safetensors")
        return (folder / "pretrain.safetensors").read_bytes()

    undisturbed = train(tmp_path / "undisturbed")
    with mounted(tmp_path / "disk", f"size={16 * len(undisturbed)}") as small:
        filler = fill(small, left=int(1.5 * len(undisturbed)))
        with pytest.raises(OSError, match="No space left on device"):
            train(small)
        assert not (small / "pretrain.safetensors").exists()
        assert not [path for path in small.rglob("*") if path.suffix in (".partial", ".lease")]
        filler.unlink()
        assert train(small) == undisturbed
        steps = [record["step"] for record in MetricsFile(small / "pretrain.metrics.jsonl").read()]
        assert steps == list(range(1, len(steps) + 1))
