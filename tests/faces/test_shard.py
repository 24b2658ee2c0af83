from dataclasses import replace

import pyarrow as pa
import pytest

from clef.errors import ClefError
from clef.faces.shard import (
    SCHEMA,
    open_shard,
    read_batches,
    read_fingerprint,
    read_recordings,
    recordings_digest,
    write_shard,
)

FINGERPRINT = {"detector": {"name": "none"}, "size": 32}


def batch(first, count):
    rows = [
        {"sequence": "F001_T1", "frame": n, "status": "no_face", "crop": b"\xff" * 50}
        for n in range(first, first + count)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def test_batches_come_back_in_order_and_by_memory_map(tmp_path):
    path = tmp_path / "s.arrow"
    write_shard(path, (batch(start, 10) for start in (0, 10)), FINGERPRINT)
    before = pa.total_allocated_bytes()
    table = open_shard(path)
    assert pa.total_allocated_bytes() - before < 1000  # mapped, not read
    assert table.schema.equals(SCHEMA)
    assert table["frame"].to_pylist() == list(range(20))
    assert [part.num_rows for part in read_batches(path)] == [10, 10]
    assert read_fingerprint(path) == FINGERPRINT
    assert [file.name for file in tmp_path.iterdir()] == ["s.arrow"]


def test_a_failure_on_the_way_leaves_nothing(tmp_path):
    def batches():
        yield batch(0, 3)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_shard(tmp_path / "s.arrow", batches(), FINGERPRINT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"something else", b"ARROW1\0\0"])
def test_what_is_no_shard_is_named(content, tmp_path):
    path = tmp_path / "s.arrow"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ClefError, match=r"s\.arrow: .*expected a shard of crops"):
        open_shard(path)


def test_an_arrow_file_without_fingerprint_is_no_shard(tmp_path):
    path = tmp_path / "s.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(batch(0, 1))
    with pytest.raises(ClefError, match="no fingerprint inside"):
        read_fingerprint(path)


def test_a_cut_off_shard_is_an_error(tmp_path):
    path = tmp_path / "s.arrow"
    write_shard(path, [batch(0, 10)], FINGERPRINT)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ClefError):
        open_shard(path)


def test_a_shard_tells_which_recordings_it_was_made_from(tmp_path, sequence):
    one, two = sequence("one.mp4", frames=5, file_size=9), sequence("two.mp4", frames=5, file_size=9)
    write_shard(tmp_path / "s.arrow", [batch(0, 1)], FINGERPRINT, recordings_digest([one, two]))
    assert read_recordings(tmp_path / "s.arrow") == recordings_digest([two, one])
    for other in (replace(two, frames=6), replace(two, file_size=8), replace(two, first_frame=7)):
        assert recordings_digest([one, other]) != read_recordings(tmp_path / "s.arrow")
    write_shard(tmp_path / "s.arrow", [batch(0, 1)], FINGERPRINT)
    assert read_recordings(tmp_path / "s.arrow") == ""
