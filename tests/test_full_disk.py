"""On a full disk, nothing is left half-written; once there is space, the same call resumes."""

import errno
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from clef.faces.crop import crop_shard
from clef.faces.shard import SCHEMA, write_shard
from clef.params.schema import CropParams
from clef.recordings.sequence import RecordedSequence
from clef.runtime.files import write_text
from clef.training.checkpoint import Recovery, save_weights
from clef.training.metrics_file import MetricsFile
from clef.training.pretrain import pretrain
from tests.mounts import mounted
from tests.toy import make_toy, toy_fold, toy_params


@pytest.fixture
def disk(tmp_path):
    """A function that makes a file system of some bytes."""
    with ExitStack() as mounts:
        yield lambda size: mounts.enter_context(mounted(tmp_path / "disk", f"size={size}"))


def fill(folder: Path, left: int) -> Path:
    """Use all space except about `left` bytes."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - left))
    return filler


def checkpoint_writer(target: Path) -> Callable[[], None]:
    recovery = Recovery(target.parent / "work", "key")
    recovery.path = target
    return lambda: recovery.save(1, {"w": torch.zeros(50_000)}, {})


WRITERS: dict[str, Callable[[Path], Callable[[], None]]] = {
    "text": lambda target: lambda: write_text(target, "x" * 50_000),
    "weights": lambda target: lambda: save_weights(target, {"w": torch.zeros(50_000)}, {}),
    "checkpoint": checkpoint_writer,
    "shard": lambda target: (
        lambda: write_shard(
            target,
            [pa.RecordBatch.from_pylist([{"sequence": "a" * 50_000, "frame": 1, "status": "no_face"}], schema=SCHEMA)],
            {},
            "",
        )
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_writers_name_their_file_and_keep_the_old_one(name, disk):
    small = disk(1_000_000)
    target = small / "out.safetensors"
    target.write_text("old")
    write = WRITERS[name](target)
    filler = fill(small, left=20_000)  # enough for the small file beside it
    with pytest.raises(OSError, match="No space left on device") as caught:
        write()
    assert caught.value.errno == errno.ENOSPC
    assert str(caught.value.filename) == str(target)
    assert target.read_text() == "old"
    assert not list(small.rglob("*.partial"))
    filler.unlink()
    write()
    assert target.read_bytes() != b"old"


def test_cropping_keeps_finished_parts_and_resumes(disk, tmp_path):
    sequences = []
    for number in (1, 2, 3):
        folder = tmp_path / "raw" / f"s{number}"
        folder.mkdir(parents=True)
        for frame in range(1, 9):
            noise = np.random.default_rng([number, frame]).integers(0, 256, (96, 96, 3), np.uint8)
            Image.fromarray(noise).save(folder / f"{frame:04d}.png")
        sequences.append(RecordedSequence("toy", f"s{number}", "s", None, None, "s", "images", f"s{number}", 0))
    settings = CropParams(detector="none", size=96)

    def crop(folder: Path) -> bytes:
        crop_shard(tmp_path / "raw", sequences, settings, folder / "s.arrow", folder / "s.work")
        return (folder / "s.arrow").read_bytes()

    undisturbed = crop(tmp_path)
    small = disk(8 * len(undisturbed))
    filler = fill(small, left=len(undisturbed) // 2)
    with pytest.raises(OSError, match="No space left on device"):
        crop(small)
    assert {path.name for path in small.iterdir()} == {"filler", "s.work"}
    first = small / "s.work" / "s1.arrow"
    assert first.exists()
    assert not list(small.rglob("*.partial"))
    modified = first.stat().st_mtime_ns
    filler.unlink()
    kept = small / "kept.arrow"
    kept.hardlink_to(first)
    assert crop(small) == undisturbed
    assert kept.stat().st_mtime_ns == modified  # the finished part was not repeated
    assert {path.name for path in small.iterdir()} == {"s.arrow", "kept.arrow"}


def test_training_keeps_its_checkpoint_and_resumes_to_the_same_weights(disk, tmp_path):
    params = toy_params(pretrain={"epochs": 4, "checkpoint": {"every_steps": 2}})
    inputs = make_toy(tmp_path / "toy", params)

    def train(folder: Path) -> bytes:
        pretrain(params, 0, toy_fold(params), inputs, folder / "pretrain.safetensors")
        return (folder / "pretrain.safetensors").read_bytes()

    undisturbed = train(tmp_path / "undisturbed")
    small = disk(16 * len(undisturbed))
    filler = fill(small, left=int(1.5 * len(undisturbed)))
    with pytest.raises(OSError, match="No space left on device"):
        train(small)
    assert not (small / "pretrain.safetensors").exists()
    assert not list(small.rglob("*.partial"))
    assert not list(small.rglob("*.lease"))
    filler.unlink()
    assert train(small) == undisturbed
    steps = [record["step"] for record in MetricsFile(small / "pretrain.metrics.jsonl").read()]
    assert steps == list(range(1, len(steps) + 1))
