import pyarrow as pa
import pytest

from clef.errors import ClefError
from clef.faces import shard
from clef.faces.shard import SCHEMA, open_shard, read_fingerprint, write_shard

FINGERPRINT = {"detector": {"name": "none"}, "size": 32}


def batch(first, count):
    row = {"sequence": "F001_T1", "status": "no_face", "crop": b"\xff" * 50}
    return pa.RecordBatch.from_pylist([row | {"frame": n} for n in range(first, first + count)], schema=SCHEMA)


def test_batches_are_mapped_back_in_order(tmp_path):
    path = tmp_path / "s.arrow"
    write_shard(path, (batch(start, 10) for start in (0, 10)), FINGERPRINT)
    before = pa.total_allocated_bytes()
    table = open_shard(path)
    assert pa.total_allocated_bytes() - before < 1000  # mapped, not read
    assert table.schema.equals(SCHEMA)
    assert table["frame"].to_pylist() == list(range(20))
    assert [part.num_rows for part in shard.read_batches(path)] == [10, 10]
    assert read_fingerprint(path) == FINGERPRINT
    assert [file.name for file in tmp_path.iterdir()] == ["s.arrow"]


def test_a_file_that_is_not_a_whole_shard_is_refused(tmp_path):
    path = tmp_path / "s.arrow"
    write_shard(path, [batch(0, 10)], FINGERPRINT)
    truncated = path.read_bytes()[:-20]
    path.unlink()
    for content in (None, b"", b"something else", b"ARROW1\0\0", truncated):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ClefError, match=r"s\.arrow: .*expected a shard of crops"):
            open_shard(path)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(batch(0, 1))
    with pytest.raises(ClefError, match="no fingerprint inside"):
        read_fingerprint(path)
