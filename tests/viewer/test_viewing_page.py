"""The commands of docs/viewing.md."""

import webbrowser

import pyarrow.parquet as pq

from clef.recordings.video import frame_times
from tests.documentation import ROOT, commands
from tests.viewer.example import numbered_video, table, write


def test_every_command_on_the_page_works(clef_here, tmp_path, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda address: None)
    (tmp_path / "videos").mkdir()
    video = numbered_video(tmp_path / "videos" / "a.mp4", 10)
    write(tmp_path / "predictions.parquet", table(frame_times(video), "videos/a.mp4"))
    found = commands(ROOT / "docs" / "viewing.md")
    assert len(found) == 4
    for command in found:
        program, *words = command.split()
        assert program == "clef"
        assert clef_here(*words, folder=tmp_path).returncode == 0, command
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"predictions.html", "predictions-view.webm", "pages/a.html"} <= written
    assert pq.read_table(tmp_path / "predictions.parquet").num_rows == 10
