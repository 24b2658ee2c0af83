"""CLEF: facial behaviour learnt from activities and text."""

import os

__version__ = "0.1.0"

# The most pixels that OpenCV decodes; it refuses an image with more by its header. It asks once, when it is loaded, so
# that this stands before all that loads it.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")
