"""Read the packets and pictures of a video file, and what packets alone say about their pictures."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import av.container

from clef.errors import ClefError

Decoded = av.VideoFrame | str
"""A frame, with the aspect ratio of its pixels in `opaque`, or an error message."""

BROADCAST = {"mpegts", "mpeg"}  # formats whose files may be joined byte by byte, and in which the aspect may change
LONGEST_PAUSE = 10  # seconds; as for FFmpeg's command, another recording starts after a longer one
HIGH_PROFILES = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244}


@contextmanager
def open_video(path: Path) -> Iterator[av.container.InputContainer]:
    """Open a file; raise a ClefError if it cannot be opened."""
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        if path.is_file() and not path.stat().st_size:
            reason = "the file is empty"
        raise ClefError(f"{path}: cannot be opened ({reason}); expected a video file; replace it") from None
    with container:
        yield container


def video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The first video that is no cover picture."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    raise ClefError(f"{path}: holds no video stream, or was cut off before it; expected a video file; replace it")


def read_packets(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    """Yield the packets of a video up to its end or to damage, with times that increase across joined recordings."""
    packets = _demux(container, stream)
    return _join(packets, stream) if container.format.name in BROADCAST and stream.time_base else packets


def decode(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[Decoded]:
    """Yield frames in decoding order, and a message for each packet that the decoder rejects.

    Frame threading stays off: it reports errors some packets late and loses good frames at the end.
    """
    aspects: dict[int | None, Fraction | None] = {}  # by time, since frames come out after later packets
    for packet in read_packets(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if not isinstance(error, av.error.EOFError):
                yield f"decoder error: {error.strerror}"
            continue
        if container.format.name in BROADCAST:
            aspects[packet.pts] = stream.codec_context.sample_aspect_ratio
        for frame in frames:
            frame.opaque = aspects.pop(frame.pts, stream.sample_aspect_ratio)
            yield frame


def is_hidden(codec: str, packet: av.Packet) -> bool:
    """Whether a packet holds a picture that is only a reference: RFC 6386, section 9.1; VP9 bitstream, section 6.2."""
    content = memoryview(packet)
    if codec == "vp8":
        return not content[0] & 0x10
    if codec == "vp9" and content[-1] & 0xE0 != 0xC0:  # not a superframe, which has one shown picture
        profile = content[0] >> 5 & 1 | content[0] >> 3 & 2
        bits = content[0] << (1 if profile == 3 else 0)
        return not bits & 0x08 and not bits & 0x02
    return False


def restarts(codec: str, extradata: bytes | None, packet: av.Packet) -> bool:
    """Whether a decoder that starts at this packet gives the same later pictures as one that started earlier.

    Not every key frame does: H.264 allows pictures after some that refer to others before. See ITU-T H.264, section
    7.4.1.2.4, and ITU-T H.265, section 7.4.2.2, where such pictures come only before a key frame in order of display.
    """
    if not packet.is_keyframe or codec not in ("h264", "hevc"):
        return packet.is_keyframe and codec in ("mjpeg", "vp9")
    header = extradata or b""
    if header[:1] != b"\1" or len(header) < 22:  # units without lengths, as in streams
        return False
    prefix = (header[4 if codec == "h264" else 21] & 3) + 1
    content, start, kinds = memoryview(packet), 0, set()
    while start + prefix < len(content):
        first = content[start + prefix]
        kinds.add(first & 31 if codec == "h264" else first >> 1 & 63)
        start += prefix + int.from_bytes(content[start : start + prefix])
    return 5 in kinds if codec == "h264" else not kinds.isdisjoint(range(16, 22))


def allows_fields(extradata: bytes | None) -> bool:
    """Whether an H.264 stream may have a packet for each field: ITU-T H.264, section 7.3.2.1.1.

    Its first pictures do not tell, since each picture can be a frame or two fields. Rare and damaged headers are not
    read to the end and count as yes.
    """
    headers = extradata or b""
    if headers[:1] == b"\1":  # as MP4 stores them: ISO/IEC 14496-15, section 5.3.3.1
        headers = b"\0\0\1" + headers[8:]
    found = re.search(rb"\x00\x00\x01[\x07\x27\x47\x67](.+)", headers, re.DOTALL)
    try:
        return found is None or not _only_frames(_Bits(found[1].replace(b"\0\0\3", b"\0\0")))
    except ValueError:  # cut off
        return True


def _only_frames(bits: "_Bits") -> bool:
    profile = bits.read(24) >> 16
    bits.number()
    if profile in HIGH_PROFILES:
        if bits.number() == 3:
            bits.read(1)
        bits.number()
        bits.number()
        bits.read(1)
        if bits.read(1):
            return False  # scaling lists follow, as few encoders write them
    bits.number()
    order = bits.number()
    if order == 1:
        return False  # a list follows, as no encoder in use writes it
    if order == 0:
        bits.number()
    bits.number()
    bits.read(1)
    bits.number()
    bits.number()
    return bool(bits.read(1))


class _Bits:
    """Read the bits of a header in order; raises a ValueError after its end."""

    def __init__(self, content: bytes) -> None:
        self.bits = "".join(f"{byte:08b}" for byte in content)
        self.position = 0

    def read(self, count: int) -> int:
        self.position += count
        return int(self.bits[self.position - count : self.position], 2)

    def number(self) -> int:
        """Read an unsigned Exp-Golomb code: section 9.1."""
        zeros = self.bits.index("1", self.position) - self.position
        self.position += zeros
        return self.read(zeros + 1) - 1


def _demux(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        return  # the container is damaged from here on; `Timeline.total` counts the rest


def _join(packets: Iterator[av.Packet], stream: av.VideoStream) -> Iterator[av.Packet]:
    """Shift the times of each recording that follows another one, so that its frames come after the earlier ones.

    FFmpeg's command does so where decoding times step back by more than a tenth of a second. Here, a key frame that
    would be shown among earlier frames starts a recording, too. Long pauses within a recording stay.
    """
    second = round(1 / stream.time_base) if stream.time_base else 1
    usual = round(second / stream.average_rate) if stream.average_rate else 1
    shift = 0
    decoded = shown = None  # times of the previous packet, and of the latest one in order of display
    duration = usual
    for packet in packets:
        if packet.dts is not None and packet.pts is not None:
            dts, pts = packet.dts + shift, packet.pts + shift
            if decoded is not None and shown is not None:
                step = dts - decoded
                jumps = packet.is_keyframe and not 0 <= pts - shown <= LONGEST_PAUSE * second
                if jumps or step < -second / 10:
                    move = max(duration - step, shown + duration - pts)
                    shift, dts, pts = shift + move, dts + move, pts + move
            packet.dts, packet.pts = dts, pts
            decoded, duration = dts, packet.duration or usual
            shown = pts if shown is None else max(pts, shown)
        yield packet
