import numpy as np
import psutil
import pytest

from clef.faces.crop import crop_shard
from clef.faces.shard import open_shard
from clef.params.schema import CropParams
from tests.recordings.sample_recordings import numbered_image, recorded, write_video

FRAMES = 15_000


@pytest.mark.slow
@pytest.mark.parametrize(("every", "threads"), [(1, 1), (5, 1), (5, 3)])
def test_memory_does_not_grow_with_the_length_of_a_video(every, threads, tmp_path):
    images = (numbered_image(n % 1024, 96, 96) for n in range(FRAMES))
    write_video(tmp_path / "long.mp4", images, options={"preset": "ultrafast"})
    process = psutil.Process()
    used = []

    def measure(_, count):
        used.append((count, process.memory_info().rss))

    detector = "none" if every == 1 else "lbp"
    settings = CropParams(detector=detector, every=every, align="box", size=192, smooth=2, threads=threads)
    crop_shard(tmp_path, [recorded("long.mp4")], settings, tmp_path / "s.arrow", tmp_path / "work", measure)

    assert open_shard(tmp_path / "s.arrow").num_rows == FRAMES
    done = np.cumsum([count for count, _ in used])
    resident = np.array([size for _, size in used]) / 1024
    # Medians of two stretches of 5,000 frames: memory that is loaded once, or used for a moment, does not count.
    earlier, later = (np.median(resident[(start < done) & (done <= start + 5000)]) for start in (5000, 10_000))
    growth = (later - earlier) / 5  # per 1,000 frames
    # Keeping the images would cost 27,000 KB per 1,000 frames, and only their JPEGs over 3,000 KB. The allocator takes
    # a few thousand KB at a time.
    assert growth < 1500
