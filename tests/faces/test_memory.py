import numpy as np
import psutil
import pytest

from clef.faces.crop import crop_shard
from clef.faces.shard import open_shard
from clef.params.schema import CropParams

FRAMES = 15_000


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 5])
def test_memory_does_not_grow_with_the_video(every, tmp_path, write_video, coded, sequence):
    write_video(
        tmp_path / "long.mp4",
        (coded[0](n % 1024, 96, 96) for n in range(FRAMES)),
        options={"preset": "ultrafast"},
    )
    process = psutil.Process()
    used = []

    def look(_, more):
        used.append((more, process.memory_info().rss))

    settings = CropParams(detector="none" if every == 1 else "lbp", every=every, align="box", size=64, smooth=2)
    crop_shard(tmp_path, [sequence("long.mp4")], settings, tmp_path / "s.arrow", tmp_path / "work", look)

    assert open_shard(tmp_path / "s.arrow").num_rows == FRAMES
    done = np.cumsum([more for more, _ in used])
    resident = np.array([size for _, size in used]) / 1024
    # two stretches of 5,000 frames each, by their medians: what is loaded once, or taken for a moment, is no growth
    earlier, later = (np.median(resident[(start < done) & (done <= start + 5000)]) for start in (5000, 10_000))
    slope = (later - earlier) / 5
    print(f"\nevery {every}: {slope:.0f} KB a thousand frames, {np.ptp(resident[done > 5000]):.0f} KB range")
    # holding the pictures would cost 27,000 KB a thousand frames, their JPEGs alone over 1,000
    assert slope < 300
