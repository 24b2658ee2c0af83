import av
import cv2
import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from clef.plots.style import PERSON_COLOURS
from clef.predict import overlay, timeline
from clef.predict.inputs import find_recordings
from clef.predict.overlay import write_overlay
from clef.predict.table import POINTS, Layout
from clef.predict.timeline import write_timeline
from clef.recordings.video import frame_times, read_video
from tests.predict.conftest import EXPRESSIONS, picture, write_image
from tests.predict.test_predict_files import predicted
from tests.recordings.sample_recordings import write_video


def test_a_video_is_drawn_frame_by_frame_at_its_times(face_model, tmp_path):
    times = [0, 1, 2, 6, 7, 8]
    images = [picture((20, 21), (200, 21), height=121, width=321)] * 5 + [picture(height=121, width=321)]
    write_video(tmp_path / "clip.mp4", images, times=times, rate=10, pixel_format="yuv444p")
    recording, layout, rows, _ = predicted(face_model, tmp_path / "clip.mp4", work=tmp_path / "work")
    write_overlay(tmp_path / "drawn.mp4", recording, rows, layout)
    assert frame_times(tmp_path / "drawn.mp4") == pytest.approx(np.array(times) / 10, abs=1e-4)
    before, after = (list(read_video(tmp_path / name)) for name in ("clip.mp4", "drawn.mp4"))
    height, width = before[0].image.shape[:2]
    changed = [
        np.abs(drawn.image[:height, :width].astype(int) - frame.image).max(axis=2) > 60
        for drawn, frame in zip(after, before, strict=True)
    ]
    for left in (0, 180):
        assert changed[0][:, left : left + 120].sum() > 100
    assert changed[5].sum() == 0
    strip = after[0].image[:, width + 2 :]
    assert strip.shape[0] % 2 == 0
    assert strip.max() > 200
    with av.open(str(tmp_path / "drawn.mp4")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_a_bar_is_as_long_as_its_label_is_probable(tmp_path):
    before = np.full((120, 320, 3), 50, np.uint8)
    write_image(tmp_path / "a.png", before)
    ((recording,), _) = find_recordings([str(tmp_path / "a.png")])
    layout = Layout("action_units", ["AU04", "AU12"], {"AU04": 0.5, "AU12": 0.5}, [], "toy", [0], None)
    row = {"file": "a.png", "frame": 0, "face": 0, "status": "detected", "x": 40, "y": 30, "width": 60, "height": 70}
    row |= {"p_AU04": 0.3, "AU04": 0, "p_AU12": 0.7, "AU12": 1}
    points = dict(zip(POINTS, ((55, 50), (85, 52), (70, 65), (58, 82), (83, 84)), strict=True))
    for name, (x, y) in points.items():
        row |= {f"{name}_x": x, f"{name}_y": y}
    write_overlay(tmp_path / "drawn.png", recording, [pa.RecordBatch.from_pylist([row], layout.schema)], layout)
    drawn = cv2.cvtColor(cv2.imread(str(tmp_path / "drawn.png")), cv2.COLOR_BGR2RGB)
    image, strip = drawn[:, :320], drawn[:, 320:]

    def longest(colour):
        return (strip == colour).all(axis=2).sum(axis=1).max()

    blue = 0, 114, 178
    for colour, probability in ((blue, 0.7), (overlay.LIGHT, 0.3)):
        rows = (strip == colour).all(axis=2).sum(axis=1) == longest(colour)
        ground = (strip[rows] == overlay.GREY).all(axis=2).sum(axis=1).max()
        assert longest(colour) / (longest(colour) + ground) == pytest.approx(probability, abs=0.02)
    for x, y in points.values():
        assert (image[y, x] == blue).all()
    for x, y in ((40, 60), (100, 60), (70, 30), (70, 100)):
        assert np.abs(image[y, x].astype(int) - blue).max() < 20, "an edge of the box"
    changed = (image != before).any(axis=2)
    changed[29:102, 39:102] = False
    assert not changed.any(), "outside the box"


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("kind", ["action_units", "expressions"])
def test_a_timeline_is_drawn_for_labels_and_sentences(make_model, tmp_path, kind, suffix):
    model = make_model(EXPRESSIONS) if kind == "expressions" else make_model(detector="mtcnn", detect_size=160)
    write_video(tmp_path / "a.mp4", [picture((20, 20), (200, 20))] * 2 + [picture()] * 3 + [picture((20, 20))] * 2)
    _, layout, rows, _ = predicted(model, tmp_path / "a.mp4", work=tmp_path / "work", asked=["a smile"])
    rows = list(rows)
    for name in ("first", "second"):
        write_timeline(tmp_path / f"{name}.{suffix}", rows, layout)
    content = (tmp_path / f"first.{suffix}").read_bytes()
    assert content == (tmp_path / f"second.{suffix}").read_bytes()
    if suffix == "svg":
        assert all(f"<!-- {text} -->".encode() in content for text in (*layout.labels, "a smile", "seconds"))
    else:
        assert Image.open(tmp_path / "first.png").width > 1000


def test_a_long_curve_has_means_and_a_gap_where_the_face_is_away(tmp_path, monkeypatch):
    figures = []

    class KeptFigure(Figure):
        def __init__(self, **options):
            super().__init__(**options)
            figures.append(self)

    monkeypatch.setattr(timeline, "Figure", KeptFigure)
    layout = Layout("action_units", ["AU12"], {"AU12": 0.5}, [], "toy", [0], None)
    frames = np.r_[0:3000, 3500:5500]
    rows = [
        {"file": "a.mp4", "frame": n, "time": n / 25, "face": 0, "status": "detected", "p_AU12": n / 6000, "AU12": 0}
        for n in frames.tolist()
    ]
    write_timeline(tmp_path / "a.png", [pa.RecordBatch.from_pylist(rows, layout.schema)], layout)
    curve = figures[0].axes[0].lines[0]
    times, values = curve.get_data()
    assert curve.get_color() == PERSON_COLOURS[0]
    assert np.flatnonzero(np.isnan(times)).tolist() == np.flatnonzero(np.isnan(values)).tolist() == [1000]
    means = np.append(frames[:4998].reshape(-1, 3).mean(axis=1), frames[4998:].mean())
    np.testing.assert_allclose(np.delete(times, 1000), means / 25)
    np.testing.assert_allclose(np.delete(values, 1000), means / 6000, rtol=1e-6)


def test_only_frames_with_a_positive_decision_are_shaded(tmp_path, monkeypatch):
    shaded, shade = [], Axes.axvspan

    def noted(axes, begin, end, **style):
        shaded.append((begin, end, axes))
        return shade(axes, begin, end, **style)

    monkeypatch.setattr(Axes, "axvspan", noted)
    layout = Layout("action_units", ["AU12"], {"AU12": 0.5}, [], "toy", [0], None)
    main = [1, 1, None, None, 0, 1, None, 1]
    rows = [
        {
            "file": "a.mp4",
            "frame": frame,
            "time": frame / 10,
            "face": None if au is None else 0,
            "status": "",
            "AU12": au,
        }
        for frame, au in enumerate(main)
    ]
    other = {"file": "a.mp4", "time": 0.4, "face": 1, "status": "", "AU12": 1}
    rows[4:5] = [rows[4], {**other, "frame": 4}]
    rows[3] = {**other, "frame": 3, "time": 0.3}
    write_timeline(tmp_path / "a.png", [pa.RecordBatch.from_pylist(rows, layout.schema)], layout)
    found = [(begin, end) for begin, end, _ in shaded]
    assert found == [pytest.approx(span) for span in ((0.0, 0.2), (0.5, 0.6), (0.7, 0.8))]
    assert shaded[-1][2].get_xlim() == pytest.approx((0, 0.8))
