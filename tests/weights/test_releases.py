from dataclasses import replace

import pytest

from clef.errors import ClefError
from clef.runtime.files import file_hash
from clef.runtime.paths import WEIGHTS
from clef.weights.releases import DETECTOR_RELEASES, detector_weights


def test_a_file_under_the_name_of_the_release_must_be_the_release(tmp_path):
    release = DETECTOR_RELEASES["yunet"]
    path = tmp_path / release.file
    path.write_bytes(b"a download that was cut off")
    with pytest.raises(ClefError, match=f"begins with {file_hash(path)[:9]}, expected {release.sha256[:9]}; get it"):
        detector_weights("yunet", str(path))


def test_digits_that_may_be_no_hash_only_warn(tmp_path, caplog):
    release = DETECTOR_RELEASES["retinaface"]
    path = tmp_path / release.file
    path.write_bytes(b"the release, for all that is known")
    assert detector_weights("retinaface", str(path)) == path
    assert f"begins with {file_hash(path)[:9]}, expected {release.sha256}" in caplog.text


def test_the_release_itself_is_taken(tmp_path, monkeypatch):
    path = tmp_path / "face_detection_yunet_2023mar.onnx"
    path.write_bytes(b"as published")
    release = DETECTOR_RELEASES["yunet"]
    published = replace(release, sha256=file_hash(path))
    monkeypatch.setitem(DETECTOR_RELEASES, "yunet", published)
    assert detector_weights("yunet", str(path)) == path
    path.write_bytes(b"as nobody published")
    with pytest.raises(ClefError, match="is not the release of that name"):
        detector_weights("yunet", str(path))


def test_weights_of_ones_own_bear_another_name(tmp_path):
    path = tmp_path / "ours.onnx"
    path.write_bytes(b"trained here")
    assert detector_weights("yunet", str(path)) == path


def test_a_detector_without_weights_needs_no_file():
    assert detector_weights("lbp", None) is None


@pytest.mark.parametrize("detector", ["yunet", "retinaface"])
def test_what_is_missing_is_named_with_the_command_and_its_address(detector, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for weights in (None, str(tmp_path), str(tmp_path / "none.onnx")):
        command = f"clef fetch-weights {detector}" + ("" if weights is None else f" --to {weights}")
        with pytest.raises(ClefError, match=rf"run `{command}`, or get .* from https://") as caught:
            detector_weights(detector, weights)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("detector", ["yunet", "retinaface"])
def test_fetched_weights_are_found_without_being_named(detector, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = WEIGHTS / DETECTOR_RELEASES[detector].file
    path.parent.mkdir()
    path.write_bytes(b"as published")
    published = replace(DETECTOR_RELEASES[detector], sha256=file_hash(path))
    monkeypatch.setitem(DETECTOR_RELEASES, detector, published)
    assert detector_weights(detector, None) == path
