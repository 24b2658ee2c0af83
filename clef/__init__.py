"""CLEF: facial behaviour learnt from activities and text."""

__version__ = "0.1.0"
