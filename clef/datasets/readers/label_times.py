"""Find the frames of a video that labels by time belong to."""

from typing import TYPE_CHECKING

import numpy as np

from clef.errors import ClefError

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 0.005
"""Seconds by which printed times may be off, since they have two decimals or more; less than half a frame."""
OVERHANG = 1.0
"""Seconds by which an interval may exceed the video, whose sound may be longer."""


def frames_in(times: np.ndarray, onset: float, offset: float, rounding: float) -> np.ndarray:
    """Find the frames that begin in an interval, or if none does, the frame that is shown at its start.

    Args:
        times: Presentation times of a video's frames in seconds, in order.
        onset: Start of the interval in seconds.
        offset: Its end, which is not part of it.
        rounding: Seconds by which a frame may begin before the interval, or after its start to be shown then.

    Returns:
        Indices into `times`.
    """
    inside = np.flatnonzero((times >= onset - rounding) & (times < offset - rounding))
    shown = np.searchsorted(times, onset + rounding, side="right") - 1
    return inside if len(inside) else np.array([max(shown, 0)])


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
    rounding, end = min(ROUNDING, step / 2), times[-1] + step
    for name, latest in (("onset", end + rounding), ("offset", end + OVERHANG)):
        if (late := rows[name] > latest).any():
            raise ClefError(f"a label at {rows.loc[late, name].iloc[0]:g} s; expected times up to {end:g} s, its end")
    spans = zip(rows["onset"], rows["offset"], strict=True)
    found = [frames_in(times, onset, offset, rounding) for onset, offset in spans]
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
