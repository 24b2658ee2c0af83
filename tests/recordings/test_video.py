import contextlib

import cv2
import numpy as np
import pytest

from clef.errors import ClefError
from clef.recordings.video import probe, read_video

B_FRAMES = {"bf": "2", "g": "12", "sc_threshold": "0"}


@pytest.fixture
def clip(tmp_path, write_video, coded):
    """60 frames that carry their numbers, with B-frames and several key frames."""
    return write_video(tmp_path / "clip.mp4", [coded[0](n) for n in range(60)], options=B_FRAMES)


def shown(path, coded, declared=None):
    """Number to what the picture itself says."""
    frames = list(read_video(path, declared))
    assert [number for number, _, _ in frames] == list(range(len(frames)))
    assert all((image is None) == bool(problem) for _, image, problem in frames)
    return [None if image is None else coded[1](image) for _, image, _ in frames]


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mp4", "libx264", "yuv420p10le"),
        ("a.mp4", "libx264", "gray"),
        ("a.mkv", "libx264", "yuv444p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mkv", "ffv1", "bgr0"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
    ],
)
def test_every_frame_comes_once_under_its_number(name, codec, pixels, tmp_path, write_video, coded):
    options = {"bf": "2"} if codec in ("libx264", "mpeg4") else {}
    path = write_video(tmp_path / name, [coded[0](n) for n in range(40)], codec=codec, pixels=pixels, options=options)
    assert shown(path, coded) == list(range(40))
    assert probe(path).frames == 40


@pytest.mark.parametrize(("codec", "suffix"), [("ffv1", ".mkv"), ("mpeg4", ".avi")])
def test_odd_sizes_keep_their_size(codec, suffix, tmp_path, write_video, coded):
    pixels = "bgr0" if codec == "ffv1" else "yuv420p"
    path = write_video(tmp_path / f"odd{suffix}", [coded[0](n, 51, 83) for n in range(3)], codec=codec, pixels=pixels)
    assert (probe(path).height, probe(path).width) == (51, 83)
    assert {image.shape for _, image, _ in read_video(path)} == {(51, 83, 3)}


def test_colours_come_as_red_green_blue(tmp_path, write_video):
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 250
    ((_, image, _),) = read_video(write_video(tmp_path / "red.mp4", [red]))
    assert image.dtype == np.uint8
    assert image[..., 0].min() > 230
    assert image[..., 1:].max() < 25


def test_a_variable_rate_numbers_by_order(tmp_path, write_video, coded):
    times = [0, 1, 2, 5, 6, 11, 12, 13, 30, 31, 33, 40]
    path = write_video(tmp_path / "v.mp4", [coded[0](n) for n in range(12)], times=times, options={"bf": "2"})
    assert shown(path, coded) == list(range(12))


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_pictures_are_turned_as_another_reader_turns_them(rotation, tmp_path, write_video):
    corner = np.zeros((48, 64, 3), np.uint8)
    corner[:20, :24] = 255
    path = write_video(tmp_path / "turned.mp4", [corner] * 3, rotation=rotation)
    _, expected = cv2.VideoCapture(str(path)).read()
    images = [image for _, image, _ in read_video(path)]
    assert images[0].shape == expected.shape == ((48, 64, 3) if rotation == 180 else (64, 48, 3))
    assert np.abs(images[0].astype(int) - expected[..., ::-1]).mean() < 3
    assert (probe(path).height, probe(path).width) == expected.shape[:2]


def test_a_damaged_frame_costs_itself_and_shifts_nothing(clip, damage, coded):
    # the last packet in the file before the second key frame: nothing refers to it
    (broken,) = damage(clip, [11])
    found = shown(clip, coded)
    assert len(found) == 60
    assert found[broken] is None
    assert [number for number, code in enumerate(found) if code is None] == [broken]
    assert [code for code in found if code is not None] == [n for n in range(60) if n != broken]


def test_a_damaged_key_frame_costs_its_group_at_most(clip, damage, coded):
    assert damage(clip, [12]) == [12]
    found = shown(clip, coded)
    assert len(found) == 60
    assert found[12] is None
    assert found[:12] == list(range(12))
    assert found[24:] == list(range(24, 60))


def test_damage_in_a_stretch_leaves_the_numbers_after_it_right(clip, damage, coded):
    damage(clip, range(13, 19))
    found = shown(clip, coded)
    assert found.count(None) >= 6
    assert found[:12] == list(range(12))
    assert found[24:] == list(range(24, 60))


def test_damage_without_timestamps_counts_packets(tmp_path, write_video, coded, damage):
    path = write_video(tmp_path / "m.avi", [coded[0](n) for n in range(20)], codec="mjpeg", pixels="yuvj420p")
    assert damage(path, [7]) == [7]
    assert shown(path, coded) == [*range(7), None, *range(8, 20)]


def test_the_real_clip_with_damaged_bytes(testdata, tmp_path, damage):
    source = testdata / "WolfgangLanger_Pexels.mp4"
    path = tmp_path / "damaged.mp4"
    path.write_bytes(source.read_bytes())
    broken = damage(path, [100])
    found = list(read_video(path))
    assert len(found) == 472
    assert [number for number, image, _ in found if image is None] == broken
    for (number, image, _), (_, whole, _) in zip(found, read_video(source), strict=True):
        if number < 90 or number >= 144:  # from the next key frame on as if nothing had been
            assert np.array_equal(image, whole), number


def test_a_picture_that_the_decoder_calls_damaged_is_not_shown(testdata, tmp_path, packets):
    content = bytearray((testdata / "WolfgangLanger_Pexels.mp4").read_bytes())
    packet = packets(testdata / "WolfgangLanger_Pexels.mp4")[100]
    middle, end = packet.pos + packet.size // 2, packet.pos + packet.size
    content[middle:end] = bytes(end - middle)
    (tmp_path / "half.mp4").write_bytes(content)
    found = list(read_video(tmp_path / "half.mp4"))
    assert [number for number, _, _ in found] == list(range(472))
    assert [(number, problem) for number, image, problem in found if image is None] == [(103, "damaged picture")]


@pytest.mark.parametrize("kept", [9, 26, 30, 31, 32, 59])
@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_a_cut_off_file_declares_what_is_missing(kept, b_frames, tmp_path, write_video, coded, packets):
    path = write_video(tmp_path / "cut.mp4", [coded[0](n) for n in range(60)], options=B_FRAMES | {"bf": b_frames})
    whole = packets(path)
    path.write_bytes(path.read_bytes()[: whole[kept].pos])
    assert probe(path).frames == 60
    found = shown(path, coded)
    assert len(found) == 60
    times = sorted(packet.pts for packet in whole)
    kept_frames = {times.index(packet.pts) for packet in whole[:kept]}
    assert found == [number if number in kept_frames else None for number in range(60)]


def test_a_cut_off_file_of_variable_rate_puts_no_picture_under_a_wrong_number(tmp_path, write_video, coded, packets):
    times = np.cumsum([1, 3, 1, 2, 1, 5] * 10).tolist()
    path = write_video(tmp_path / "cut.mp4", [coded[0](n) for n in range(60)], times=times, options=B_FRAMES)
    path.write_bytes(path.read_bytes()[: packets(path)[30].pos])
    found = shown(path, coded)
    assert len(found) == 60
    assert all(code in (number, None) for number, code in enumerate(found))
    assert sum(code is not None for code in found) >= 26


def test_frames_that_only_the_listing_knows_of_come_too(clip, coded):
    assert shown(clip, coded, declared=63) == [*range(60), None, None, None]


def test_probe_counts_where_the_container_declares_nothing(tmp_path, write_video, coded):
    path = write_video(tmp_path / "a.mkv", [coded[0](n) for n in range(33)], rate=30)
    facts = probe(path)
    assert (facts.frames, facts.fps, facts.width, facts.height) == (33, 30.0, 80, 64)


def test_probe_of_the_real_files(testdata):
    pexels, moving = probe(testdata / "WolfgangLanger_Pexels.mp4"), probe(testdata / "face_noface.mov")
    assert (pexels.frames, pexels.width, pexels.height) == (472, 640, 360)
    assert pexels.fps == pytest.approx(23.976, abs=0.001)
    assert (moving.frames, moving.width, moving.height) == (169, 960, 540)
    assert moving.fps == pytest.approx(26.4, abs=0.01)


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "height", "width", "count"),
    [
        ("odd.mp4", "libx264", "yuv444p", 241, 321, 3),
        ("grey.mp4", "libx264", "gray", 64, 80, 3),
        ("grey.mkv", "ffv1", "gray", 64, 80, 3),
        ("ten bits.mp4", "libx264", "yuv420p10le", 64, 80, 3),
        ("alpha.mov", "png", "rgba", 64, 80, 3),
        ("wide.mp4", "libx264", "yuv420p", 64, 10_000, 2),
        ("one frame.mp4", "libx264", "yuv420p", 64, 80, 1),
        ("Übung mit Leerzeichen/Élodie 😀.mp4", "libx264", "yuv420p", 64, 80, 3),
    ],
)
def test_unusual_videos_are_read_like_others(name, codec, pixels, height, width, count, tmp_path, write_video, coded):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    pictures = [coded[0](n, height, width) for n in range(count)]
    path = write_video(tmp_path / name, pictures, codec=codec, pixels=pixels)
    facts = probe(path)
    assert (facts.frames, facts.height, facts.width) == (count, height, width)
    assert shown(path, coded) == list(range(count))
    assert {image.shape for _, image, _ in read_video(path)} == {(height, width, 3)}


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is a text\n" * 50, encoding="utf-8")
    for name in ("empty.mp4", "text.mp4", "missing.mp4"):
        with pytest.raises(ClefError, match=name):
            probe(tmp_path / name)
        with pytest.raises(ClefError, match=name):
            list(read_video(tmp_path / name))
    with pytest.raises(ClefError, match=r"empty\.mp4: cannot be opened \(the file is empty\); expected a video file"):
        probe(tmp_path / "empty.mp4")


def test_a_folder_or_a_link_to_itself_is_no_video(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    with pytest.raises(ClefError, match=r"folder\.mp4: cannot be opened \(Is a directory\)"):
        probe(tmp_path / "folder.mp4")
    with pytest.raises(ClefError, match=r"loop\.mp4: cannot be opened \(Too many levels of symbolic links\)"):
        probe(tmp_path / "loop.mp4")


def test_an_mp4_cut_off_before_its_index_is_named(tmp_path, write_video, coded):
    path = write_video(tmp_path / "cut.mp4", [coded[0](n) for n in range(12)], faststart=False)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ClefError, match=r"cut\.mp4: .* expected a video file; replace it") as caught:
        probe(path)
    assert "\n" not in str(caught.value)


def test_sound_alone_is_no_video(tmp_path):
    import av

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for index in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, index * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(ClefError, match="holds no video stream"):
        probe(path)


def test_leaving_early_closes_the_file(clip):
    frames = read_video(clip)
    next(frames)
    with contextlib.closing(frames):
        pass
    assert next(frames, None) is None
