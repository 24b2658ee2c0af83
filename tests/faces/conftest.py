import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np
import pytest

from clef.recordings.sequence import RecordedSequence

BITS = 10


def coded_picture(number: int, height: int = 64, width: int = 80) -> np.ndarray:
    """A picture that carries its number as dark and bright stripes, so that it survives an encoder."""
    image = np.full((height, width, 3), 40, np.uint8)
    for bit in range(BITS):
        if number >> bit & 1:
            image[:, bit * width // BITS : (bit + 1) * width // BITS] = 215
    return image


def coded_number(image: np.ndarray) -> int:
    width = image.shape[1]
    centres = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    return sum((image[:, x].mean() > 128) << bit for bit, x in enumerate(centres))


def _write_video(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = 25,
    times: list[int] | None = None,
    rotation: int | None = None,
    options: dict[str, str] | None = None,
    faststart: bool = True,
) -> Path:
    """Encode pictures into the container that the suffix names.

    Args:
        path: The file.
        pictures: RGB, uint8, all of one size.
        codec: Of the encoder.
        pixels: Pixel format.
        rate: Frames a second.
        times: Presentation times in frames, for a variable rate.
        rotation: Of the display matrix, in degrees.
        options: Of the encoder.
        faststart: Write the index of an mp4 first, so that a file that is cut off still opens.
    """
    fast = {"movflags": "+faststart"} if faststart and path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=fast) as container:
        stream = None
        for index, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream(
                    codec, rate=rate, options={"x264-params": "log-level=0"} | (options or {})
                )
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = pixels
                stream.codec_context.thread_count = 1
                if rotation is not None:
                    stream.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = times[index] if times else index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _packets(path: Path) -> list[av.Packet]:
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def _damage(path: Path, numbers: Iterable[int]) -> list[int]:
    """Overwrite packets of a video, by place in the file; gives the frames they hold, by presentation."""
    packets = _packets(path)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for number in numbers:
        packet = packets[number]
        content[packet.pos : packet.pos + packet.size] = rng.integers(0, 256, packet.size, np.uint8).tobytes()
    path.write_bytes(content)
    times = sorted(packet.pts for packet in packets)
    return sorted(times.index(packets[number].pts) for number in numbers)


def _sequence(source: str, kind: str = "video", first_frame: int = 0, **others) -> RecordedSequence:
    name = Path(source).stem
    known = {
        "dataset": "toy",
        "sequence": name,
        "subject": None,
        "activity": None,
        "split": None,
        "shard": "s",
    }
    return RecordedSequence(**(known | others), kind=kind, source=source, first_frame=first_frame)


@pytest.fixture(scope="session")
def coded() -> tuple[Callable[..., np.ndarray], Callable[[np.ndarray], int]]:
    """Draw a picture that carries a number, and read it."""
    return coded_picture, coded_number


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    return _write_video


@pytest.fixture(scope="session")
def damage() -> Callable[..., list[int]]:
    return _damage


@pytest.fixture(scope="session")
def packets() -> Callable[[Path], list[av.Packet]]:
    return _packets


@pytest.fixture(scope="session")
def sequence() -> Callable[..., RecordedSequence]:
    """A sequence of a toy data set, named after its source."""
    return _sequence


@pytest.fixture(autouse=True)
def _quiet_codecs():
    with contextlib.suppress(AttributeError):
        av.logging.set_level(None)
