"""CLEF: facial behaviour learnt from activities and text."""

import os

__version__ = "0.1.0"

# OpenCV refuses to decode images with more pixels. It reads this variable once, when it is loaded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")
