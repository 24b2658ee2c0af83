import pyarrow as pa
import pyarrow.parquet as pq

from clef.predict import output
from clef.predict.output import write_table
from clef.predict.table import Layout


def test_small_batches_are_joined_to_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "ROWS_PER_GROUP", 6)
    layout = Layout("expressions", ["anger"], {}, [], "toy", [0], None)
    rows = [{"file": "a.mp4", "frame": frame, "status": "no_face"} for frame in range(20)]
    batches = (pa.RecordBatch.from_pylist(rows[n : n + 3], layout.schema) for n in range(0, 20, 3))
    write_table(batches, layout, tmp_path / "a.parquet")
    written = pq.ParquetFile(tmp_path / "a.parquet")
    assert [written.metadata.row_group(n).num_rows for n in range(written.num_row_groups)] == [6, 6, 6, 2]
    assert written.read(["frame"])["frame"].to_pylist() == list(range(20))
