"""Videos as cameras, phones and editors write them: frames, order and pixels are those that ffmpeg shows."""

import shutil
import subprocess
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from clef.recordings.video import frame_times, probe, read_video
from tests.recordings.field_coded_video import field_coded
from tests.recordings.sample_recordings import numbered_image, numbered_images, packets, read_number, write_video

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
TS_PACKET = 188  # bytes
B_FRAMES = {"bf": "2", "g": "12", "sc_threshold": "0"}


def ffmpeg(*arguments: object, input: bytes | None = None) -> bytes:
    command = ["ffmpeg", "-v", "error", "-y", *map(str, arguments)]
    ran = subprocess.run(command, input=input, capture_output=True, timeout=600, check=False)
    if b"Unknown encoder" in ran.stderr:
        pytest.skip(ran.stderr.decode().splitlines()[0])
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout


def shown(path: Path) -> np.ndarray:
    """The frames that ffmpeg shows, upright and with square pixels."""
    facts = probe(path)
    filters = "scale=iw*max(sar\\,1):ih/min(sar\\,1)" if "squashed" in path.name else "null"
    raw = ffmpeg("-i", path, "-fps_mode", "passthrough", "-vf", filters, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(-1, facts.height, facts.width, 3)


def hide_pictures(path: Path) -> None:
    """Clear the bit of VP8 that shows a picture, in two packets."""
    content = bytearray(path.read_bytes())
    for number in (5, 11):
        content[content.find(bytes(packets(path)[number])[:16])] &= ~0x10
    path.write_bytes(content)


def trim(path: Path, milliseconds: int) -> None:
    """End the edit list of an MP4 file earlier, as phones and QuickTime do: ISO/IEC 14496-12, section 8.6.6."""
    content = bytearray(path.read_bytes())
    duration = content.index(b"elst") + 12
    content[duration : duration + 4] = milliseconds.to_bytes(4, "big")
    path.write_bytes(content)


def make(folder: Path, kind: str) -> Path:
    """Write a video of one kind; its images carry numbers."""
    if kind.startswith(("fields", "mixed")):
        images = [numbered_image(n, 32, 160).mean(axis=2).astype(np.uint8) for n in range(20)]
        (folder / "fields.h264").write_bytes(field_coded(images, whole=3 if kind.startswith("mixed") else 0))
        ffmpeg("-r", 50, "-i", folder / "fields.h264", "-c", "copy", folder / kind)
        return folder / kind
    source = write_video(folder / "source.mp4", numbered_images(40), options=B_FRAMES)
    if kind == "hidden.webm":
        options = {"deadline": "realtime", "lag-in-frames": "0", "error-resilient": "1", "g": "1"}
        path = write_video(folder / kind, numbered_images(20), codec="libvpx", options=options)
        hide_pictures(path)
        return path
    if kind in ("middle.ts", "refreshed.ts"):  # the last one has intra blocks in turn, not in one picture
        options = (
            B_FRAMES if kind == "middle.ts" else {"x264-params": "log-level=0:bframes=0:intra-refresh=1:keyint=10"}
        )
        content = write_video(folder / kind, numbered_images(40), options=options).read_bytes()
        tables, later = content[: 3 * TS_PACKET], content[len(content) // 2 // TS_PACKET * TS_PACKET :]
        (folder / kind).write_bytes(tables + later)
        return folder / kind
    open_groups = (
        "-x265-params",
        "log-level=none:open-gop=1:scenecut=0:keyint=10:min-keyint=10:bframes=3:b-adapt=0:pools=1",
    )
    arguments = {
        "open.ts": ("-c:v", "libx265", *open_groups),
        "open.mkv": ("-c:v", "libx265", *open_groups),
        "trimmed.mp4": ("-c", "copy"),
        "references.webm": ("-c:v", "libvpx", "-auto-alt-ref", 1, "-lag-in-frames", 16),
        "split.mkv": ("-c:v", "libvpx-vp9", "-auto-alt-ref", 1, "-lag-in-frames", 16),
        "cut.mp4": ("-c", "copy"),
        "interlaced.mts": ("-c:v", "libx264", "-x264opts", "interlaced=1"),
        "broadcast.ts": ("-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-bf", 2),
        "packed.avi": ("-c:v", "libxvid", "-bf", 2),
        "repeated.avi": ("-c:v", "copy"),
        "twice.mkv": (
            "-c:v",
            "libx264",
            "-bf",
            0,
            "-vf",
            "settb=1/1000,setpts=trunc(N/2)*80",
            "-fps_mode",
            "passthrough",
        ),
        "squashed.mp4": ("-c:v", "libx264", "-vf", "setsar=16/11"),
        "squashed.mkv": ("-c:v", "libx264", "-vf", "setsar=8/9"),
        "ten_bits.mp4": ("-c:v", "libx264", "-pix_fmt", "yuv420p10le"),
        "ten_bits.mkv": ("-c:v", "libx264", "-pix_fmt", "yuv422p10le"),
        "ten_bits.mov": ("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"),
        "screen.mkv": ("-c:v", "ffv1", "-pix_fmt", "bgr0"),
        "full_range.mp4": ("-c:v", "libx264", "-vf", "scale=out_range=full", "-color_range", "pc"),
        "hd.mp4": ("-c:v", "libx264", "-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"),
        "phone.3gp": ("-c:v", "mpeg4"),
        "camera.mxf": ("-c:v", "mpeg2video"),
        "old.ogv": ("-c:v", "libtheora"),
        "webcam.avi": ("-c:v", "mjpeg"),
    }[kind]
    path = folder / ("open.mp4" if kind.startswith("open") else kind)
    ffmpeg(*(("-ss", 0.3) if kind == "cut.mp4" else ()), "-i", source, *arguments, path)
    if kind == "trimmed.mp4":
        trim(path, 600)
    if kind.startswith("open"):
        positive = ("-avoid_negative_ts", "make_zero") if kind == "open.ts" else ()
        ffmpeg("-ss", 0.9, "-i", path, "-c", "copy", *positive, folder / kind)
        return folder / kind
    if kind == "split.mkv":
        ffmpeg("-i", path, "-c", "copy", "-bsf:v", "vp9_superframe_split", folder / "hidden.mkv")
        return folder / "hidden.mkv"
    return path


KINDS = [
    "fields.mts", "fields.mp4", "mixed.mts", "mixed.mp4", "mixed.mkv", "trimmed.mp4", "middle.ts", "refreshed.ts",
    "open.ts", "open.mkv", "ten_bits.mp4", "ten_bits.mkv", "hidden.webm", "references.webm", "split.mkv", "cut.mp4",
    "interlaced.mts", "broadcast.ts", "packed.avi", "repeated.avi", "twice.mkv", "squashed.mp4", "squashed.mkv",
    "ten_bits.mov", "screen.mkv", "full_range.mp4", "hd.mp4", "phone.3gp", "camera.mxf", "old.ogv", "webcam.avi",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_the_frames_that_ffmpeg_shows(kind, tmp_path):
    path = make(tmp_path, kind)
    expected, frames = shown(path), list(read_video(path))
    assert probe(path).frames == len(frames) == len(expected)
    assert [frame.number for frame in frames] == list(range(len(frames)))
    assert [read_number(frame.image) for frame in frames] == [read_number(image) for image in expected]
    differences = [np.abs(frame.image.astype(int) - image).max() for frame, image in zip(frames, expected, strict=True)]

    assert max(differences) <= 2


def test_a_trimmed_file_that_is_cut_off_counts_the_frames_within_the_edit(tmp_path):
    path = write_video(tmp_path / "trimmed.mp4", numbered_images(40), options=B_FRAMES)
    trim(path, 600)
    path.write_bytes(path.read_bytes()[: packets(path)[9].pos])
    frames = list(read_video(path))
    assert probe(path).frames == len(frames) == 15
    assert all(frame.image is None or read_number(frame.image) == frame.number for frame in frames)
    assert [frame.number for frame in frames if frame.image is None] == [8, *range(10, 15)]


@pytest.mark.parametrize("start", [-400, -19, -2, -1, 0, 1, 200, 400])
@pytest.mark.parametrize("b_frames", [("2", "2"), ("2", "0"), ("0", "2")])
def test_joined_recordings_follow_each_other(start, b_frames, tmp_path):
    """`start` of the second one is in frames since the end of the first one; -1 gives two frames the same time."""
    joined = tmp_path / "joined.ts"
    with joined.open("wb") as file:
        for number, count in enumerate(b_frames):
            images = numbered_images(40)[20 * number : 20 * (number + 1)]
            times = [500 + number * (20 + start) + index for index in range(20)]
            options = B_FRAMES | {"bf": count}
            file.write(write_video(tmp_path / f"{number}.ts", images, times=times, options=options).read_bytes())
    frames, expected = list(read_video(joined)), shown(joined)
    assert [read_number(frame.image) for frame in frames] == [read_number(image) for image in expected] == [*range(40)]
    steps = np.diff([frame.time for frame in frames])
    assert (0 if start == -1 else 0.039) <= min(steps) <= max(steps) < (8.2 if start == 200 else 0.2)
    assert frame_times(joined).tolist() == [frame.time for frame in frames]


def test_pixels_are_square_in_each_part_of_joined_recordings(tmp_path):
    joined = tmp_path / "joined.ts"
    parts = [write_video(tmp_path / f"{n}.ts", numbered_images(8), aspect=Fraction(n, 2)) for n in (2, 4, 1)]
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    sizes = [frame.image.shape[:2] for frame in read_video(joined)]
    assert sizes == [(64, 80)] * 8 + [(64, 160)] * 8 + [(128, 80)] * 8


def display_matrix(across: int, down: int, turned: bool) -> list[int]:
    one = 1 << 16
    linear = [0, down * one, across * one, 0] if turned else [across * one, 0, 0, down * one]
    return [linear[0], linear[1], 0, linear[2], linear[3], 0, 0, 0, 1 << 30]


@pytest.mark.parametrize(("across", "down", "turned"), [*product((1, -1), (1, -1), (False, True))])
@pytest.mark.parametrize("name", ["selfie.mp4", "selfie.mov", "squashed selfie.mp4"])
def test_all_eight_orientations_are_upright(name, across, down, turned, tmp_path):
    corner = np.zeros((48, 64, 3), np.uint8)
    corner[:20, :24] = (250, 120, 0)
    corner[30:, 40:] = (0, 60, 200)
    matrix = display_matrix(across, down, turned)
    aspect = Fraction(16, 11) if "squashed" in name else None
    path = write_video(tmp_path / name, [corner] * 3, matrix=matrix, aspect=aspect)
    expected = shown(path)
    assert len(expected) == 3
    for frame, image in zip(read_video(path), expected, strict=True):
        difference = np.abs(frame.image.astype(int) - image)
        # ffmpeg turns the coded picture first and stretches then, which differs at the edges of colours.
        assert difference.mean() < 3 if aspect else difference.max() <= 2


SKIN_AND_GREYS = [(200, 150, 120), (120, 80, 60), (230, 190, 170), (60, 90, 200), (128,) * 3, (20,) * 3, (40, 160, 60)]


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_from_a_phone_has_the_colours_of_an_sdr_image(transfer, tmp_path):
    image = np.repeat(np.repeat(np.array([SKIN_AND_GREYS]), 64, axis=0), 64, axis=1)
    code = encode_hdr(image, transfer)
    tags = ("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc")
    quality = f"log-level=error:crf=4:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    size = f"{image.shape[1]}x{image.shape[0]}"
    source = ("-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", size, "-i", "-")
    limited = ("-vf", "scale=out_color_matrix=bt2020:out_range=tv,format=yuv420p10le")
    target = ("-c:v", "libx265", "-x265-params", quality, *tags, "-tag:v", "hvc1", tmp_path / "phone.mov")
    ffmpeg(*source, *limited, *target, input=code.tobytes())
    (frame,) = read_video(tmp_path / "phone.mov")
    centres = (slice(32, None, 64), slice(32, None, 64))
    assert np.abs(frame.image[centres].astype(int) - image[centres]).max() <= 3


def encode_hdr(image: np.ndarray, transfer: str) -> np.ndarray:
    """Encode an sRGB image as uint16 PQ or HLG with its white at 203 cd/m2, as ITU-R BT.2100 and BT.2087 define."""
    code = image / 255
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    light = light @ np.array([[0.6274, 0.0691, 0.0164], [0.3293, 0.9195, 0.0880], [0.0433, 0.0114, 0.8956]])
    if transfer == "smpte2084":
        power = (light * 203 / 10000) ** 0.1593017578125
        code = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    else:
        luminance = (light @ (0.2627, 0.6780, 0.0593))[..., None] * 203 / 1000
        scene = light * 203 / 1000 * luminance ** (1 / 1.2 - 1)
        code = np.where(
            scene <= 1 / 12,
            np.sqrt(3 * scene),
            0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073,
        )
    return (code.clip(0, 1) * 65535).round().astype("<u2")
