"""A crop job whose lease another process has taken: it leaves the work folder to that."""

import json

import cv2
import pytest

from clef.errors import ClefError
from clef.faces.crop import crop_shard
from clef.params.schema import CropParams
from clef.runtime.lease import leased

WHOLE = CropParams(detector="none", align="box", margin=0.0, size=64)


@pytest.mark.parametrize("at", ["one", "two", "three"])
def test_it_ends_before_the_next_part_and_touches_nothing(at, tmp_path, sequence, coded):
    raw, target, work = tmp_path / "raw", tmp_path / "s.arrow", tmp_path / "s.work"
    for number, name in enumerate(("one", "two", "three")):
        (raw / name).mkdir(parents=True)
        cv2.imwrite(str(raw / name / "0.png"), coded[0](number, 80, 80))
    sequences = [sequence(name, "images") for name in ("one", "two", "three")]
    found: dict[str, int] = {}

    def steal(name: str, _: int) -> None:
        if name == at:
            lease.path.write_text(json.dumps(json.loads(lease.path.read_text()) | {"token": "theirs"}))
            (work / "three.json").write_text("{}")  # what the other has
            found.update({path.name: path.stat().st_mtime_ns for path in work.glob("[a-z]*")})

    with leased(target) as lease, pytest.raises(ClefError, match="another process has taken over"):
        crop_shard(raw, sequences, WHOLE, target, work, steal)
    assert {path.name: path.stat().st_mtime_ns for path in work.iterdir()} == found
    assert not target.exists()
