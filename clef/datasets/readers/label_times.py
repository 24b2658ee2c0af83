"""Find the frames of a video that labels by time belong to."""

from typing import TYPE_CHECKING

import numpy as np

from clef.errors import ClefError

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 0.0005
"""Seconds by which exported times may be off, since programs round them to milliseconds."""


def frames_in(times: np.ndarray, onset: float, offset: float) -> np.ndarray:
    """Find the frames of an interval; an interval that no frame falls into has the nearest one.

    Args:
        times: Presentation times of a video's frames in seconds, in order.
        onset: Start of the interval in seconds.
        offset: Its end, which is not part of it.

    Returns:
        Indices into `times`.
    """
    inside = np.flatnonzero((times >= onset - ROUNDING) & (times < offset - ROUNDING))
    return inside if len(inside) else np.array([np.abs(times - onset).argmin()])


def label_frames(
    rows: "pd.DataFrame", times: np.ndarray, first_frame: int, absent_elsewhere: list[str]
) -> "pd.DataFrame":
    """Turn labels of one video by time into labels by frame.

    Args:
        rows: Labels with `onset` and `offset` in seconds.
        times: As for `frames_in`.
        first_frame: Number of the first frame in labels.
        absent_elsewhere: Columns that are 0 in frames without a label.

    Returns:
        One row per frame, sorted, with `frame` and the labels.

    Raises:
        ClefError: A time is after the end of the video, or two intervals give one frame different labels.
    """
    import pandas as pd

    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    late = rows[rows["onset"] > times[-1] + step + ROUNDING]
    if len(late):
        raise ClefError(f"a label at {late['onset'].iloc[0]:g} s; expected times up to {times[-1] + step:g} s, its end")
    found = [frames_in(times, onset, offset) for onset, offset in zip(rows["onset"], rows["offset"], strict=True)]
    labels = rows.drop(columns=["onset", "offset"]).loc[rows.index.repeat([len(frames) for frames in found])]
    groups = labels.assign(frame=np.concatenate(found) + first_frame).groupby("frame")
    different = (groups.nunique() > 1).stack()
    if different.any():
        frame, name = different.index[int(different.to_numpy().argmax())]
        raise ClefError(f"two values of {name} at {times[frame - first_frame]:g} s; expected one")
    merged = groups.first()
    if absent_elsewhere:
        merged = merged.reindex(pd.RangeIndex(first_frame, first_frame + len(times), name="frame"))
        merged[absent_elsewhere] = merged[absent_elsewhere].fillna(0)
    return merged.reset_index()
