"""Small recordings whose images carry their frame number, so that a test can read back which frame it got."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from clef.recordings.sequence import RecordedSequence

av.logging.set_level(None)

BITS = 10


def numbered_image(number: int, height: int = 64, width: int = 80) -> np.ndarray:
    """An image that carries its number as dark and bright stripes, which survive an encoder, across coloured bands."""
    image = np.full((height, width, 3), 40, np.uint8)
    for bit in range(BITS):
        if number >> bit & 1:
            image[:, bit * width // BITS : (bit + 1) * width // BITS] = 215
    reddish = np.arange(height) // 6 % 2 == 0
    image[reddish] += np.array([40, 0, 0], np.uint8)
    image[~reddish] += np.array([0, 0, 40], np.uint8)
    return image


def numbered_images(count: int, **size: int) -> list[np.ndarray]:
    return [numbered_image(number, **size) for number in range(count)]


def read_number(image: np.ndarray) -> int:
    width = image.shape[1]
    centres = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    return sum((image[:, x].mean() > 128) << bit for bit, x in enumerate(centres))


def write_video(
    path: Path,
    images: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    rate: int = 25,
    times: list[int] | None = None,
    rotation: int | None = None,
    matrix: list[int] | None = None,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    faststart: bool = True,
) -> Path:
    """Encode RGB images of one size. `times` are in frames; `faststart` writes an mp4's index first."""
    fast = {"movflags": "+faststart"} if faststart and path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=fast) as container:
        stream = None
        for index, image in enumerate(images):
            if stream is None:
                options = {"x264-params": "log-level=0"} | (options or {})
                stream = container.add_stream(codec, rate=rate, options=options)
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = pixel_format
                stream.codec_context.thread_count = 1
                if matrix is not None:
                    stream.set_display_matrix(matrix)
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
                if rotation is not None:
                    stream.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = times[index] if times else index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def packets(path: Path) -> list[av.Packet]:
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def damage(path: Path, numbers: Iterable[int]) -> list[int]:
    """Overwrite packets of a video, by position in the file, and return the frames in them."""
    found = packets(path)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for number in numbers:
        start, size = found[number].pos, found[number].size
        content[start : start + size] = rng.integers(0, 256, size, np.uint8).tobytes()
    path.write_bytes(content)
    times = sorted(packet.pts for packet in found)
    return sorted(times.index(found[number].pts) for number in numbers)


def recorded(source: str, kind: str = "video", first_frame: int = 0, **fields: object) -> RecordedSequence:
    """A recording of a toy data set, named after its source."""
    defaults = {"dataset": "toy", "sequence": Path(source).stem, "shard": "s"}
    defaults |= dict.fromkeys(("subject", "activity", "split"))
    return RecordedSequence(**(defaults | fields), kind=kind, source=source, first_frame=first_frame)
