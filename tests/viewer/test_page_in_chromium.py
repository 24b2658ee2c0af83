"""The page in Chromium: frames, thresholds, and segments with the csv that they are exported to."""

import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from clef.fixtures import barcode
from clef.recordings.video import frame_times
from tests.recordings.sample_recordings import damage, write_video
from tests.viewer.conftest import Viewer
from tests.viewer.example import EXPRESSIONS, SENTENCE, THRESHOLDS, numbered_video, table, write

pytestmark = pytest.mark.slow
FRAMES = 60


@pytest.fixture
def view(clef_here, open_page, tmp_path) -> Callable[..., Viewer]:
    """Write the page of a table of predictions and open it."""

    def view(predictions: Path, *options: str, **context: Any) -> Viewer:
        done = clef_here("view", str(predictions), *options, "--out", str(tmp_path / "page.html"))
        assert (done.returncode, done.stderr) == (0, "")
        return open_page(tmp_path / "page.html", **context)

    return view


@pytest.fixture
def viewer(view, clip) -> Viewer:
    return view(clip.with_suffix(".parquet"))


def exported(viewer: Viewer, tmp_path: Path, schema: pa.Schema) -> tuple[str, pa.Table]:
    """Name and content of the csv that the export button downloads."""
    with viewer.page.expect_download() as download:
        viewer.page.click("#export")
    path = tmp_path / "exported.csv"
    download.value.save_as(path)
    types = dict(zip(schema.names, schema.types, strict=True))
    options = pa.csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    return download.value.suggested_filename, pa.csv.read_csv(path, convert_options=options)


def axis(viewer: Viewer, frame: int) -> tuple[float, float]:
    """Where a frame is on the time axis, while all frames are in view."""
    box = viewer.page.locator("#canvas").bounding_box()
    assert box is not None
    return box["x"] + (frame + 0.5) / FRAMES * box["width"], box["y"] + 10


VIDEOS: dict[str, dict[str, Any]] = {
    "constant rate": {},
    "variable rate": {"times": [2 * n + 3 * (n // 7) + n % 2 for n in range(FRAMES)]},
    "long groups with reordered frames": {"options": {"g": "250", "bf": "3"}},
    "slow and fast": {"times": [n if n < 30 else 100 * n for n in range(FRAMES)]},
    "1000 frames a second": {"rate": 1000},
}


@pytest.mark.parametrize("options", VIDEOS.values(), ids=VIDEOS)
def test_the_picture_is_the_frame_whose_number_is_shown(view, tmp_path, options):
    video = numbered_video(tmp_path / "clip.mkv", FRAMES, **options)
    viewer = view(write(tmp_path / "clip.parquet", table(frame_times(video), "clip.mkv")))
    order = list(range(FRAMES))
    random.Random(0).shuffle(order)
    viewer.shows(0)
    for frame in [*order[:25], FRAMES - 1, 0]:
        viewer.page.locator("#scrubber").fill(str(frame))
        viewer.shows(frame)


def test_a_part_of_a_rotated_video_with_wide_pixels(view, tmp_path):
    images = (np.rot90(barcode.draw(np.full((320, 256, 3), 90, np.uint8), number), 1) for number in range(FRAMES))
    video = write_video(tmp_path / "clip.mp4", images, rotation=270, aspect=Fraction(2, 1))
    viewer = view(write(tmp_path / "clip.parquet", table(frame_times(video)[20:50], first=20)), "--size", "200")
    for key, frame in (("End", 49), ("Home", 20), ("ArrowRight", 21)):
        viewer.page.keyboard.press(key)
        viewer.shows(frame)
    assert viewer.page.evaluate("[data.width, data.height, video.videoWidth, video.videoHeight]") == [256, 640, 80, 200]


def test_dragging_and_keys_reach_every_frame(viewer):
    page = viewer.page
    bar = page.locator("#scrubber").bounding_box()
    y = bar["y"] + bar["height"] / 2
    viewer.drag((bar["x"] + 8, y), (bar["x"] + 0.4 * bar["width"], y))
    frame = int(page.locator("#scrubber").input_value())
    assert 20 < frame < 28
    viewer.shows(frame)
    for key, step in (("ArrowRight", 1), ("ArrowRight", 1), ("ArrowLeft", -1), ("Shift+ArrowRight", 10)):
        page.keyboard.press(key)
        frame += step
        viewer.shows(frame)
    for _ in range(12):  # quicker than the browser seeks
        page.keyboard.press("ArrowLeft")
    viewer.shows(frame - 12)
    for typed, frame in (("59", 59), ("600", 59), ("7", 7)):
        page.locator("#frame").fill(typed)
        page.keyboard.press("Enter")
        viewer.shows(frame)
    x, y = axis(viewer, 31)
    viewer.drag((axis(viewer, 3)[0], y + 100), (x, y + 100))  # on the curves
    viewer.shows(31)


def test_while_it_plays_the_number_is_that_of_the_picture(viewer):
    viewer.page.locator("#speed").select_option("0.25")
    viewer.page.click("#play")
    expect(viewer.page.locator("#play")).to_have_text("Pause")
    expect(viewer.page.locator("#frame")).not_to_have_value("0")
    viewer.page.click("#play")
    expect(viewer.page.locator("#play")).to_have_text("Play")
    viewer.page.keyboard.press("ArrowRight")
    frame = viewer.page.evaluate("state.wanted")
    assert 0 < frame < FRAMES
    viewer.shows(frame)
    for frame in (50, 3):  # while it plays
        viewer.page.click("#play")
        expect(viewer.page.locator("#frame")).not_to_have_value(str(viewer.page.evaluate("state.wanted")))
        viewer.page.locator("#scrubber").fill(str(frame))
        viewer.shows(frame)
        expect(viewer.page.locator("#play")).to_have_text("Play")


def test_a_threshold_changes_counts_and_decisions(viewer, clip, tmp_path):
    rows = pq.read_table(clip.with_suffix(".parquet"))
    before = viewer.counts()
    present = [pc.sum(rows[unit]).as_py() for unit in THRESHOLDS]
    assert before == [f"{round(100 * n / FRAMES)} % · {n} of {FRAMES}" for n in present]
    handle = viewer.page.get_by_role("slider", name="Threshold of AU06")
    box = handle.bounding_box()
    x, y = box["x"] + 20, box["y"] + box["height"] / 2
    viewer.drag((x, y), (x, y - 16))
    threshold = float(handle.get_attribute("aria-valuenow"))
    assert 0.6 < threshold < 0.9
    decided = pc.greater_equal(rows["p_AU06"].cast(pa.float64()), threshold)
    n = pc.sum(decided).as_py()
    assert viewer.counts() == [before[0], f"{round(100 * n / FRAMES)} % · {n} of {FRAMES}", before[2]]
    expected = rows.set_column(rows.column_names.index("AU06"), "AU06", decided.cast(pa.int8()))
    name, found = exported(viewer, tmp_path, rows.schema)
    assert name == "clip-0-59.csv"
    assert found.equals(expected)
    assert not found.equals(rows)
    handle.press("ArrowDown")
    assert float(handle.get_attribute("aria-valuenow")) == pytest.approx(threshold - 0.01)
    viewer.page.click("#reset")
    assert viewer.counts() == before
    assert exported(viewer, tmp_path, rows.schema)[1].equals(rows)


def test_the_values_beside_the_curves_are_those_of_the_frame(viewer, clip):
    rows = pq.read_table(clip.with_suffix(".parquet"))
    for frame in (17, 40):
        viewer.page.locator("#scrubber").fill(str(frame))
        viewer.shows(frame)
        row = rows.slice(frame, 1).to_pylist()[0]
        shown = viewer.page.locator(".label:not(.status) span").all_text_contents()
        assert [float(value) for value in shown] == pytest.approx([row[f"p_{unit}"] for unit in THRESHOLDS], abs=0.006)
        names = viewer.page.locator(".label.present b").all_text_contents()
        assert names == [unit for unit in THRESHOLDS if row[unit]]
        assert viewer.page.locator("#time").text_content() == f"{row['time']:.3f} s"


def test_a_segment_is_dragged_on_the_axis_and_exported(view, tmp_path):
    """With several faces, frames without one, an undecodable frame and a sentence with commas and quotes."""
    video = numbered_video(tmp_path / "clip, of 2.mp4", FRAMES, options={"g": "1"})
    damage(video, [22])
    rows = table(
        frame_times(video), str(video), asked=[SENTENCE], second_face=range(12, 20), without_face=[25], undecodable=[22]
    )
    viewer = view(write(tmp_path / "clip.parquet", rows))
    page = viewer.page
    viewer.drag(axis(viewer, 30), axis(viewer, 15))
    assert page.locator("#segment-length").text_content() == "16 frames, 0.600 s to 1.200 s"
    part = rows.filter(pc.and_(pc.greater_equal(rows["frame"], 15), pc.less_equal(rows["frame"], 30)))
    name, found = exported(viewer, tmp_path, rows.schema)
    assert name == "clip, of 2-15-30.csv"
    assert found.equals(part)
    assert part.num_rows == 16 + 5

    first = part.filter(pc.equal(part["face"], 0))
    n = pc.sum(first["AU01"]).as_py()
    assert viewer.counts()[0] == f"{round(100 * n / 14)} % · {n} of 14"
    page.locator("#face").select_option("1")
    n = pc.sum(part.filter(pc.equal(part["face"], 1))["AU01"]).as_py()
    assert viewer.counts()[0] == f"{round(100 * n / 5)} % · {n} of 5"

    page.locator("#scrubber").fill("22")
    expect(page.locator("#problem")).to_have_text("This frame cannot be decoded; the picture is an earlier one.")
    assert viewer.picture() == 21
    page.locator("#scrubber").fill("25")
    viewer.shows(25)
    expect(page.locator("#problem")).to_be_hidden()
    assert page.locator(".label.status span").text_content() == "no face"

    page.keyboard.press("]")
    assert page.locator("#segment-length").text_content() == "11 frames, 0.600 s to 1.000 s"
    page.keyboard.press("Escape")
    assert page.locator("#segment-length").text_content() == "all 60 frames, 0.000 s to 2.360 s"


def test_the_exported_csv_can_be_viewed(view, viewer, clip, tmp_path):
    rows = pq.read_table(clip.with_suffix(".parquet"))
    viewer.drag(axis(viewer, 10), axis(viewer, 50))
    exported(viewer, tmp_path, rows.schema)
    again = view(tmp_path / "exported.csv", "--video", str(clip))
    again.shows(10)
    assert exported(again, tmp_path, rows.schema)[1].equals(rows.slice(10, 41))


def test_zoom_shows_a_part_and_follows_the_frame(viewer):
    page = viewer.page
    part = lambda: page.evaluate("[state.from, state.to]")  # noqa: E731
    viewer.drag(axis(viewer, 20), axis(viewer, 39))
    page.click("#segment-zoom")
    assert part() == [20, 40]
    page.keyboard.press("Home")
    viewer.shows(0)
    start, end = part()
    assert (start, end) == (0, 20)
    page.keyboard.press("0")
    assert part() == [0, 60]
    x, y = axis(viewer, 45)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    expect(page.locator("#tooltip")).to_contain_text("frame 45")
    start, end = part()
    assert 0 < start < 45.5 < end <= 60
    assert end - start < 40
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert part() == [0, 60]


def test_expressions_show_the_most_probable_one(view, tmp_path, clip):
    rows = table(frame_times(clip), labels=EXPRESSIONS, thresholds={}, without_face=[5])
    viewer = view(write(tmp_path / "faces.parquet", rows), "--video", str(clip))
    assert viewer.page.get_by_role("slider", name="Threshold").count() == 0
    wins = [pc.sum(pc.equal(rows["expression"], name)).as_py() for name in EXPRESSIONS]
    assert viewer.counts() == [f"{round(100 * n / 59)} % · {n} of 59" for n in wins]
    viewer.page.locator("#scrubber").fill("9")
    viewer.shows(9)
    assert viewer.page.locator(".label.present b").all_text_contents() == [rows["expression"][9].as_py()]
    assert exported(viewer, tmp_path, rows.schema)[1].equals(rows)


def test_no_face_at_all_and_rows_that_are_missing(view, tmp_path, clip):
    rows = table(frame_times(clip), str(clip), asked=[SENTENCE], without_face=range(FRAMES))
    viewer = view(write(tmp_path / "clip.parquet", rows.take([5, 6, 9, 20])))
    for key, frame in (("End", 20), ("ArrowLeft", 19), ("Home", 5)):
        viewer.page.keyboard.press(key)
        viewer.shows(frame)
        assert viewer.page.locator(".label.status span").text_content() == "no face"
    assert viewer.counts() == ["", "", "", ""]
    viewer.page.keyboard.press("]")
    assert exported(viewer, tmp_path, rows.schema)[1].equals(rows.take([5]))


def test_a_table_with_dictionaries(view, tmp_path, clip):
    """As pandas writes categories."""
    rows = table(frame_times(clip), str(clip))
    coded = rows
    for name in ("file", "status"):
        coded = coded.set_column(rows.column_names.index(name), name, rows[name].dictionary_encode())
    viewer = view(write(tmp_path / "clip.parquet", coded))
    viewer.shows(0)
    assert exported(viewer, tmp_path, rows.schema)[1].equals(rows)


def test_a_file_name_and_a_sentence_are_no_markup(view, tmp_path):
    video = numbered_video(tmp_path / "<b>&\"x'.mp4", FRAMES)
    sentence = "</script><script>document.title = 'run'</script>{{ 7 * 7 }}"
    rows = table(frame_times(video), str(video), asked=[sentence], notice="<i>1 < 2</i>")
    viewer = view(write(tmp_path / "clip.parquet", rows))
    assert viewer.page.title() == viewer.page.locator("h1").text_content() == video.name
    assert viewer.page.locator(".notice").text_content() == "<i>1 < 2</i>"
    assert viewer.page.locator(".label.asked b").text_content() == sentence


def test_a_video_beside_the_page(view, tmp_path, clip):
    viewer = view(clip.with_suffix(".parquet"), "--video-beside")
    assert (tmp_path / "page-view.webm").stat().st_size < (tmp_path / "page.html").stat().st_size
    viewer.page.keyboard.press("End")
    expect(viewer.page.locator("#frame")).to_have_value("59")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800, 1600])
def test_nothing_is_wider_than_the_screen(view, clip, scheme, width):
    viewer = view(clip.with_suffix(".parquet"), color_scheme=scheme, viewport={"width": width, "height": 700})
    assert viewer.page.evaluate("document.documentElement.scrollWidth") == width
    colour = viewer.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (np.array(colour[4:-1].split(","), float).mean() < 128) == (scheme == "dark")
