import av
import pytest

from clef.recordings.packets import allows_fields
from tests.recordings.sample_recordings import numbered_images, write_video


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "yuv444p"])
@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_headers_of_h264_tell_whether_fields_may_occur(name, interlaced, pixel_format, tmp_path):
    options = {"x264-params": f"log-level=0:interlaced={interlaced}"}
    path = write_video(tmp_path / name, numbered_images(20), pixel_format=pixel_format, options=options)
    with av.open(str(path)) as container:
        extradata = container.streams.video[0].codec_context.extradata
    assert allows_fields(extradata) == bool(interlaced)
    assert allows_fields(extradata[:8])  # counting in vain is better than wrong numbers
