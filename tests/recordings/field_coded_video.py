"""H.264 with two fields for each frame (PAFF), as camcorders write it: no encoder at hand does, so this one does."""

import numpy as np

SAMPLES = 256  # of luma in a macroblock
GREY = bytes([128]) * 128  # both chroma blocks


def field_coded(images: list[np.ndarray], whole: int = 0) -> bytes:
    """Encode grey images of 32 rows, whose width is a multiple of 16, without loss; see ITU-T H.264, section 7.3.

    The first `whole` images are coded as frames, the others as two fields.
    """
    width = images[0].shape[1] // 16
    frames_of_fields = "0" + "0" + "1"  # no frame_mbs_only, no adaptive fields within a frame, direct_8x8_inference
    profile, level = f"{77:08b}{0:08b}", f"{30:08b}"
    sequence = profile + level + _ue(0) + _ue(0) + _ue(2) + _ue(1) + "0" + _ue(width - 1) + _ue(0) + frames_of_fields
    picture = _ue(0) + _ue(0) + "00" + _ue(0) * 3 + "000" + _ue(0) * 3 + "100"
    stream = _unit(0x67, _bytes(f"{sequence}001")) + _unit(0x68, _bytes(f"{picture}1"))
    for number, image in enumerate(images):
        for bottom in (None,) if number < whole else (0, 1):
            first = number == 0 and not bottom
            marking = "00" if first else "0"
            field = "0" if bottom is None else f"1{bottom}"
            header = _ue(0) + _ue(7) + _ue(0) + f"{number % 16:04b}{field}" + _ue(0) * first + marking
            rows = image if bottom is None else image[bottom::2]
            blocks = [rows[y : y + 16, x : x + 16] for y in range(0, len(rows), 16) for x in range(0, 16 * width, 16)]
            content = b"".join(
                _bytes((header + _ue(0) + _ue(1) if place == 0 else "") + _ue(25)) + block.tobytes() + GREY
                for place, block in enumerate(blocks)
            )
            stream += _unit(0x65 if first else 0x61, content + b"\x80")
    return stream


def _ue(number: int) -> str:
    """An unsigned Exp-Golomb code."""
    code = f"{number + 1:b}"
    return "0" * (len(code) - 1) + code


def _bytes(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _unit(kind: int, content: bytes) -> bytes:
    """A NAL unit, with emulation prevention bytes."""
    escaped = bytearray()
    for byte in content:
        if byte <= 3 and escaped[-2:] == b"\0\0":
            escaped.append(3)
        escaped.append(byte)
    return b"\0\0\0\1" + bytes([kind]) + bytes(escaped)
