"""Convert HDR video, as phones record it, to the range and colours of an SDR image.

Diffuse white, at 203 cd/m2 by ITU-R BT.2408, becomes almost the white of the image: tones below 80 % of it keep their
light, and brighter ones are compressed. FFmpeg's scaler maps the brightest possible light to white instead, and faces
get half their brightness.
"""

from functools import cache

import av
import cv2
import numpy as np
from av.video.reformatter import ColorTrc

PQ, HLG = int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)
WHITE = 203.0
HLG_PEAK = 1000.0  # cd/m2 of the display that BT.2100 takes as reference
KNEE = 0.8
LUMINANCE = np.array([[0.2627, 0.6780, 0.0593]], np.float32)  # of BT.2020 primaries
TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]], np.float32
)


def is_hdr(frame: av.VideoFrame) -> bool:
    """Whether a frame is coded as PQ or HLG."""
    return frame.color_trc in (PQ, HLG)


def to_sdr(rgb: np.ndarray, transfer: int) -> np.ndarray:
    """Convert an image.

    Args:
        rgb: BT.2020, uint16, `(height, width, 3)`, coded as PQ or HLG.
        transfer: `PQ` or `HLG`.

    Returns:
        sRGB, uint8, of the same shape.
    """
    light = np.take(_light(transfer), rgb)
    if transfer == HLG:  # the display's system gamma of 1.2
        light *= cv2.pow(cv2.transform(light, LUMINANCE) * (WHITE / HLG_PEAK) + 1e-9, 0.2)[..., None]
    light = np.maximum(cv2.transform(light, TO_BT709), 0)
    brightest = np.maximum(np.maximum(light[..., 0], light[..., 1]), light[..., 2])
    bright = brightest > KNEE
    compressed = KNEE + (1 - KNEE) * (1 - np.exp((KNEE - brightest[bright]) / (1 - KNEE)))
    light[bright] *= (compressed / brightest[bright])[:, None]
    return np.take(_srgb(), (light * 65535).astype(np.uint16))


@cache
def _light(transfer: int) -> np.ndarray:
    """Light of each of 65,536 code values, relative to diffuse white: ITU-R BT.2100, tables 4 and 5."""
    code = np.linspace(0, 1, 65536)
    if transfer == PQ:
        root = code ** (1 / 78.84375)
        light = 10000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    else:
        exponential = (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12
        light = HLG_PEAK * np.where(code <= 0.5, code**2 / 3, exponential)
    return (light / WHITE).astype(np.float32)


@cache
def _srgb() -> np.ndarray:
    """The sRGB code of each of 65,536 values of light, IEC 61966-2-1."""
    light = np.linspace(0, 1, 65536)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (code * 255).round().astype(np.uint8)
