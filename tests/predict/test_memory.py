import pyarrow.parquet as pq
import pytest

from benchmarks.peak_memory import peak_kilobytes
from tests.recordings.sample_recordings import numbered_image, write_video


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_a_video(whole_image_model, tmp_path):
    peaks = []
    for frames in (1_500, 15_000):
        images = (numbered_image(n % 1024, 96, 96) for n in range(frames))
        video = write_video(tmp_path / f"{frames}.mp4", images, options={"preset": "ultrafast"})
        out = tmp_path / f"{frames}.parquet"
        arguments = ["predict", str(video), "--model", str(whole_image_model), "--out", str(out), "--workers", "1"]
        peaks.append(peak_kilobytes(*arguments))
        assert pq.read_metadata(out).num_rows == frames
    # Only the images of the longer video would take 400,000 KB, about as much as the imported packages.
    assert peaks[1] < 1.2 * peaks[0]
