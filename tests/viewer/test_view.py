"""The command `clef view`, without a browser."""

import re
import webbrowser

import pyarrow.csv
import pytest

from clef.recordings.video import frame_times
from tests.viewer.example import numbered_video, table, write


def embedded(page):
    return 'class="video"' in page.read_text(encoding="utf-8")


def test_the_page_is_written_beside_the_table(clef_here, clip, tmp_path):
    done = clef_here("view", "clip.parquet", folder=clip.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"clip\.html: 60 frames, 0\.\d MB\n", done.stdout)
    assert embedded(clip.with_suffix(".html"))
    assert not list(clip.parent.glob("*.webm"))
    assert not list(clip.parent.glob(".*"))
    again = clef_here("view", "clip.parquet", "--out", str(tmp_path / "new" / "page.html"), folder=clip.parent)
    assert again.returncode == 0
    assert (tmp_path / "new" / "page.html").exists()


def test_nothing_is_fetched(clef_here, clip):
    clef_here("view", "clip.parquet", folder=clip.parent)
    text = clip.with_suffix(".html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|//[a-z]+\.[a-z]|@import|url\(", text.split('<script type="application/json"')[0])


def test_the_video_beside_the_page(clef_here, clip, tmp_path):
    done = clef_here("view", str(clip.with_suffix(".parquet")), "--video-beside", "--out", str(tmp_path / "a b.html"))
    assert done.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a b.html", "a b-view.webm"}
    assert not embedded(tmp_path / "a b.html")
    assert 'src="a%20b-view.webm"' in (tmp_path / "a b.html").read_text(encoding="utf-8")


def test_one_of_several_videos(clef_here, tmp_path):
    tables = []
    for name, count in (("a.mp4", 8), ("b.mp4", 12)):
        tables.append(table(frame_times(numbered_video(tmp_path / name, count)), f"videos/{name}"))
    write(tmp_path / "p.parquet", *tables)
    done = clef_here("view", "p.parquet", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    expected = "p.parquet: several files; choose one with --file: videos/a.mp4, videos/b.mp4"
    assert done.stderr == f"clef: error: {expected}\n"
    assert clef_here("view", "p.parquet", "--file", "videos/b.mp4", folder=tmp_path).stdout.startswith(
        "p.html: 12 frames"
    )


def test_a_csv_without_any_face(clef_here, clip, tmp_path):
    rows = table(frame_times(clip), str(clip), without_face=range(60))
    pyarrow.csv.write_csv(rows, tmp_path / "p.csv")
    done = clef_here("view", "p.csv", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_part_of_the_video_is_named(clef_here, clip, tmp_path, caplog):
    write(tmp_path / "p.parquet", table(frame_times(clip)[:20], str(clip)))
    caplog.set_level("INFO", "clef")
    done = clef_here("view", "p.parquet", folder=tmp_path)
    assert done.returncode == 0
    assert "p.html: shows the 20 frames in the table; the video has 60" in caplog.text


def test_a_large_page_is_named(clef_here, clip, monkeypatch, caplog):
    caplog.set_level("INFO", "clef")
    monkeypatch.setattr("clef.cli.view.LARGE_PAGE", 1000)
    assert clef_here("view", "clip.parquet", folder=clip.parent).returncode == 0
    assert "clip.html: browsers open pages of this size slowly; try --video-beside or a smaller --size" in caplog.text


def test_a_missing_video_and_a_page_over_an_input_are_one_error_line(clef_here, clip, tmp_path):
    path = write(tmp_path / "clip-view.parquet", table(frame_times(clip), "gone/clip.mp4"))
    done = clef_here("view", str(path))
    assert done.returncode == 1
    assert done.stderr == f"clef: error: gone/clip.mp4: no such video, also not beside {path}; name it with --video\n"
    content = path.read_bytes()
    for out in (path, clip):
        done = clef_here("view", str(path), "--video", str(clip), "--out", str(out))
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "the page would replace an input" in done.stderr
    assert path.read_bytes() == content
    done = clef_here("view", str(path), "--video", "none.mp4")
    assert done.stderr.startswith("clef: error: none.mp4: cannot be opened (No such file or directory)")


def test_the_page_is_opened_on_request(clef_here, clip, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    clef_here("view", "clip.parquet", folder=clip.parent)
    assert opened == []
    clef_here("view", "clip.parquet", "--open", folder=clip.parent)
    assert opened == [clip.with_suffix(".html").as_uri()]


@pytest.mark.parametrize("size", ["0", "-3", "big"])
def test_a_size_that_is_none(clef_here, size):
    assert clef_here("view", "clip.parquet", "--size", size).returncode == 2
