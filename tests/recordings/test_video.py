import av
import cv2
import numpy as np
import pytest

from clef.errors import ClefError
from clef.recordings.video import probe, read_video
from tests.recordings.sample_recordings import damage, numbered_images, packets, read_number, write_video

B_FRAMES = {"bf": "2", "g": "12", "sc_threshold": "0"}


@pytest.fixture
def clip(tmp_path):
    """60 numbered frames, with B-frames and several key frames."""
    return write_video(tmp_path / "clip.mp4", numbered_images(60), options=B_FRAMES)


def read_numbers(path, declared=None):
    """The number in each frame's image, in order; None for a frame without image."""
    frames = list(read_video(path, declared))
    assert [number for number, *_ in frames] == list(range(len(frames)))
    assert all((image is None) == bool(problem) for _, image, problem, _ in frames)
    return [None if image is None else read_number(image) for _, image, *_ in frames]


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "height", "width", "count"),
    [
        ("a.mp4", "libx264", "yuv420p", 64, 80, 40),
        ("ten bits.mp4", "libx264", "yuv420p10le", 64, 80, 20),
        ("odd.mp4", "libx264", "yuv444p", 241, 321, 3),
        ("Übung mit Leerzeichen/Élodie 😀.mp4", "libx264", "yuv420p", 64, 80, 1),
        ("a.mkv", "libx264", "yuv444p", 64, 80, 33),  # declares no number of frames
        ("a.ts", "libx264", "yuv420p", 64, 80, 40),
        ("odd.avi", "mpeg4", "yuv420p", 51, 83, 20),
        ("a.avi", "mjpeg", "yuvj420p", 64, 80, 20),
        ("grey.mkv", "ffv1", "gray", 64, 80, 3),
        ("a.webm", "libvpx-vp9", "yuv420p", 64, 80, 10),
    ],
)
def test_every_frame_has_its_number(name, codec, pixel_format, height, width, count, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    options = {"bf": "2"} if codec in ("libx264", "mpeg4") else {}
    images = numbered_images(count, height=height, width=width)
    path = write_video(tmp_path / name, images, codec=codec, pixel_format=pixel_format, options=options)
    assert probe(path) == (count, 25, width, height)
    assert read_numbers(path) == list(range(count))
    assert {image.shape for _, image, *_ in read_video(path)} == {(height, width, 3)}


@pytest.mark.parametrize("rotation", [0, 90, -90, 180])
def test_frames_have_the_colours_and_rotation_of_opencv(rotation, tmp_path):
    corner = np.zeros((48, 64, 3), np.uint8)
    corner[:20, :24] = (250, 120, 0)
    path = write_video(tmp_path / "turned.mp4", [corner] * 3, rotation=rotation)
    _, expected = cv2.VideoCapture(str(path)).read()
    _, image, *_ = next(read_video(path))
    assert image.shape == expected.shape == ((48, 64, 3) if rotation % 180 == 0 else (64, 48, 3))
    assert np.abs(image.astype(int) - expected[..., ::-1]).mean() < 3
    assert (probe(path).height, probe(path).width) == expected.shape[:2]


def test_damage_loses_no_number_and_shifts_no_frame(clip):
    # The last packet before the second key frame: no other frame refers to it.
    whole = clip.read_bytes()
    (broken,) = damage(clip, [11])
    assert read_numbers(clip) == [None if n == broken else n for n in range(60)]
    for numbers, least in [([12], 1), (range(13, 19), 6)]:  # a key frame; several frames of a group
        clip.write_bytes(whole)
        damage(clip, numbers)
        found = read_numbers(clip)
        assert len(found) == 60
        assert found.count(None) >= least
        assert found[:12] == list(range(12))
        assert found[24:] == list(range(24, 60))


def test_damage_of_the_first_key_frame_shifts_no_frame(clip):
    damage(clip, [0])
    found = read_numbers(clip)
    assert found[0] is None
    assert found[12:] == list(range(12, 60))


def test_damage_without_timestamps_counts_packets(tmp_path):
    path = write_video(tmp_path / "m.avi", numbered_images(20), codec="mjpeg", pixel_format="yuvj420p")
    assert damage(path, [7]) == [7]
    assert read_numbers(path) == [*range(7), None, *range(8, 20)]


def test_a_picture_that_the_decoder_marks_as_damaged_is_dropped(testdata, tmp_path):
    content = bytearray((testdata / "WolfgangLanger_Pexels.mp4").read_bytes())
    packet = packets(testdata / "WolfgangLanger_Pexels.mp4")[100]
    middle, end = packet.pos + packet.size // 2, packet.pos + packet.size
    content[middle:end] = bytes(end - middle)
    (tmp_path / "half.mp4").write_bytes(content)
    assert probe(tmp_path / "half.mp4") == (472, pytest.approx(23.976, abs=0.001), 640, 360)
    found = list(read_video(tmp_path / "half.mp4"))
    assert [number for number, *_ in found] == list(range(472))
    assert [(number, problem) for number, image, problem, _ in found if image is None] == [(103, "damaged picture")]


@pytest.mark.parametrize("kept", [9, 30, 31, 32, 59])
@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_a_truncated_file_reports_the_missing_frames(kept, b_frames, tmp_path):
    path = write_video(tmp_path / "cut.mp4", numbered_images(60), options=B_FRAMES | {"bf": b_frames})
    whole = packets(path)
    path.write_bytes(path.read_bytes()[: whole[kept].pos])
    assert probe(path).frames == 60
    assert read_numbers(path, declared=63)[60:] == [None] * 3
    times = sorted(packet.pts for packet in whole)
    kept_frames = {times.index(packet.pts) for packet in whole[:kept]}
    assert read_numbers(path) == [number if number in kept_frames else None for number in range(60)]


def test_a_file_of_variable_rate_gives_no_image_a_wrong_number_also_when_truncated(tmp_path):
    times = np.cumsum([1, 3, 1, 2, 1, 5] * 10).tolist()
    path = write_video(tmp_path / "cut.mp4", numbered_images(60), times=times, options=B_FRAMES)
    assert read_numbers(path) == list(range(60))
    path.write_bytes(path.read_bytes()[: packets(path)[30].pos])
    found = read_numbers(path)
    assert len(found) == 60
    assert all(shown in (number, None) for number, shown in enumerate(found))
    assert sum(shown is not None for shown in found) >= 26


def test_a_file_that_is_no_video_gives_one_line(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is a text\n" * 50, encoding="utf-8")
    late_index = write_video(tmp_path / "late.mp4", numbered_images(12), faststart=False).read_bytes()
    (tmp_path / "late.mp4").write_bytes(late_index[: len(late_index) // 2])
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    for name, message in {
        "empty.mp4": r"empty\.mp4: cannot be opened \(the file is empty\); expected a video file",
        "text.mp4": r"text\.mp4: cannot be opened",
        "missing.mp4": r"missing\.mp4: cannot be opened \(No such file",
        "late.mp4": r"late\.mp4: .* expected a video file; replace it",
        "sound.mp4": "holds no video stream",
    }.items():
        for read in (probe, lambda path: list(read_video(path))):
            with pytest.raises(ClefError, match=message) as error:
                read(tmp_path / name)
            assert "\n" not in str(error.value)
