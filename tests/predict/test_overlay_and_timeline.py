import av
import cv2
import numpy as np
import pyarrow as pa
import pytest
from matplotlib.axes import Axes
from PIL import Image

from clef.predict.overlay import write_overlay
from clef.predict.table import Layout
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


def test_an_image_is_drawn(face_model, tmp_path):
    write_image(tmp_path / "a.png", picture((20, 20)))
    recording, layout, rows, _ = predicted(face_model, tmp_path / "a.png", work=tmp_path / "work")
    write_overlay(tmp_path / "drawn.png", recording, rows, layout)
    drawn = cv2.imread(str(tmp_path / "drawn.png"))
    assert drawn.shape[0] == 120
    assert drawn.shape[1] > 320


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
