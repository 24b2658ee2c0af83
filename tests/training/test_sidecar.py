import pytest

from clef.errors import ClefError
from clef.params.schema import ModelParams
from clef.training.sidecar import require_fingerprint, require_model


def test_different_crop_settings_and_models_are_refused(tmp_path):
    with pytest.raises(ClefError, match=r"margin 0\.1 against 0\.2; size 72 against None"):
        require_fingerprint({"fingerprint": {"margin": 0.1, "size": 72}}, {"margin": 0.2}, tmp_path, tmp_path)
    ours = ModelParams(name="clef-tiny", image_size=64)
    require_model({"model": ours.model_dump()}, ours, tmp_path)
    for name, size in (("ViT-B-16", 64), ("clef-tiny", 96)):
        with pytest.raises(ClefError, match=f"as {name} at {size} pixels, but the run has clef-tiny at 64 pixels;"):
            require_model({"model": {"name": name, "image_size": size}}, ours, tmp_path)
