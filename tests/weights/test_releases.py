import json
from dataclasses import replace

import pytest

from clef.errors import ClefError
from clef.params.schema import ModelParams
from clef.runtime.files import file_hash
from clef.runtime.paths import WEIGHTS
from clef.weights.releases import DETECTOR_RELEASES, detector_weights, model_note, require_weights


def test_a_file_with_the_name_of_the_release_must_be_the_release(tmp_path, monkeypatch):
    release = DETECTOR_RELEASES["yunet"]
    path = tmp_path / release.file
    path.write_bytes(b"as published")
    monkeypatch.setitem(DETECTOR_RELEASES, "yunet", replace(release, sha256=file_hash(path)))
    assert detector_weights("yunet", str(path)) == path
    path.write_bytes(b"cut off")
    with pytest.raises(ClefError, match=rf"not the release of that name: its SHA-256 is {file_hash(path)[:9]}"):
        detector_weights("yunet", str(path))
    own = path.rename(tmp_path / "ours.onnx")
    assert detector_weights("yunet", str(own)) == own
    assert detector_weights("lbp", None) is None


def test_an_unconfirmed_hash_is_a_warning(tmp_path, caplog):
    release = DETECTOR_RELEASES["retinaface"]
    path = tmp_path / release.file
    path.write_bytes(b"possibly the release")
    assert detector_weights("retinaface", str(path)) == path
    assert f"is {file_hash(path)[:9]}..., expected {release.sha256}" in caplog.text


@pytest.mark.parametrize("detector", ["yunet", "retinaface"])
def test_missing_weights_are_an_error_with_the_command_and_the_address(detector, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for weights in (None, str(tmp_path), str(tmp_path / "none.onnx")):
        command = f"clef fetch-weights {detector}" + ("" if weights is None else f" --to {weights}")
        with pytest.raises(ClefError, match=rf"run `{command}`, or get .* from https://") as caught:
            detector_weights(detector, weights)
        assert "\n" not in str(caught.value)


def test_a_model_from_a_file_or_from_scratch_has_no_note(tmp_path):
    path = tmp_path / "own.pt"
    with pytest.raises(ClefError, match=r"model\.pretrained: no file .*own\.pt; put it there"):
        model_note("clef-tiny", str(path))
    path.touch()
    assert model_note("clef-tiny", str(path)) is None
    assert model_note("clef-tiny", None) is None


def test_a_note_without_its_weights_does_not_count_as_fetched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = ModelParams(pretrained="openai")
    require_weights(model)  # nothing was fetched yet: the workflow fetches it
    cached, note = tmp_path / "cache.safetensors", model_note(model.name, "openai")
    assert note == WEIGHTS / "ViT-B-16-quickgelu.openai.json"
    note.parent.mkdir()
    note.write_text(json.dumps({"file": str(cached)}))
    with pytest.raises(ClefError, match=f"is gone; run `clef fetch-weights ViT-B-16-quickgelu/openai --to {note}`"):
        require_weights(model)
    cached.touch()
    require_weights(model)


def test_a_file_that_does_not_say_its_normalisation_needs_it_before_the_first_job(tmp_path):
    path = tmp_path / "FaRL.pth"
    path.touch()
    with pytest.raises(ClefError, match=r"^model\.normalisation: missing, and .*FaRL\.pth does not say"):
        require_weights(ModelParams(pretrained=str(path)))
    require_weights(ModelParams(pretrained=str(path), normalisation="clip"))
