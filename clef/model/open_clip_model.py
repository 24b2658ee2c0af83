"""Create the open_clip model of a run, with pretrained weights of a tag or a file."""

import logging
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import open_clip
from open_clip.convert import convert_state_dict
from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed, resize_text_pos_embed
from torch import Tensor, nn

from clef.errors import ClefError
from clef.model.weights_file import differences
from clef.params.schema import ModelParams
from clef.weights.normalisation import CONFIG, agreed, config_beside, file_normalisation, statistics_of
from clef.weights.open_clip import download_error
from clef.weights.pretrained_file import read_pretrained

log = logging.getLogger(__name__)

open_clip.add_model_config(Path(__file__).with_name("configs"))


def create_model(settings: ModelParams) -> nn.Module:
    """Create a model whose preprocessing config holds the mean and standard deviation of its weights.

    Raises:
        ClefError: The model is unknown, its weights cannot be downloaded, read or loaded completely, or it is not known
            how their images were normalised.
    """
    name, pretrained = settings.name, settings.pretrained
    if name not in open_clip.list_models():
        raise ClefError(f"model.name: open_clip has no model {name}; see open_clip.list_models()")
    if pretrained is None:
        with _without_warnings():
            return open_clip.create_model(name, force_image_size=settings.image_size)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained in tags:
        return _from_tag(settings, pretrained)
    if Path(pretrained).is_file():
        return _from_file(settings, Path(pretrained))
    known = ", ".join(tags) or "none"
    raise ClefError(f"model.pretrained: {pretrained}: no such file, and no tag of {name} (it has {known})")


def _from_tag(settings: ModelParams, tag: str) -> nn.Module:
    source = open_clip.get_pretrained_cfg(settings.name, tag)
    agreed(settings, statistics_of(source), f"the tag {tag} of {settings.name}")
    _check_activation(settings.name, tag, source.get("quick_gelu", False))
    try:
        with _without_warnings():
            return open_clip.create_model(settings.name, pretrained=tag, force_image_size=settings.image_size)
    except (OSError, RuntimeError) as error:
        raise download_error(settings.name, tag, error) from None


def _from_file(settings: ModelParams, path: Path) -> nn.Module:
    """Load a file as `open_clip.load_checkpoint` does, which cannot read all kinds of files itself."""
    weights = None if path.suffix == ".npz" else read_pretrained(path)
    ours, theirs = open_clip.get_model_config(settings.name), config_beside(path).get("model_cfg")
    if theirs is not None and _architecture(theirs) != _architecture(ours):
        raise ClefError(
            f"{path.with_name(CONFIG)}: describes another model than {settings.name}; give that model.name, or keep "
            f"{path.name} in a folder without this config"
        )
    # A timm model has its own size until its weights are loaded, and resizes them itself.
    is_timm = "timm_model_name" in ours["vision_cfg"]
    with _without_warnings():
        model = open_clip.create_model(
            settings.name,
            force_image_size=None if is_timm else settings.image_size,
            force_preprocess_cfg=file_normalisation(settings),
            pretrained_text=False,
        )
    if problem := _load_big_vision(model, path) if weights is None else _load(model, weights.tensors):
        raise ClefError(
            f"model.pretrained: {path} does not fit {settings.name} at {settings.image_size} pixels ({problem}); "
            "expected all weights of that model and no others: give the model.name that the file belongs to"
        )
    if weights is not None and weights.quick_gelu:
        _check_activation(settings.name, str(path), True)
    elif theirs is not None:
        _check_activation(settings.name, str(path), theirs.get("quick_gelu", False))
    if is_timm:
        model.visual.set_input_size(settings.image_size)
    return model


def _architecture(config: dict[str, Any]) -> list[Any]:
    """What distinguishes the models of open_clip configs; they may differ in the size of the image."""
    tower = config.get("vision_cfg", {})
    return [config.get("embed_dim"), *map(tower.get, ("timm_model_name", "layers", "width", "patch_size"))]


def _load(model: Any, tensors: dict[str, Tensor]) -> str | None:
    """Load tensors with open_clip's conversions; return what does not fit, if anything."""
    try:
        tensors = convert_state_dict(model, tensors)
        if "positional_embedding" in tensors and not hasattr(model, "positional_embedding"):
            tensors = convert_to_custom_text_state_dict(tensors)
        if "logit_scale" in tensors:
            tensors["logit_scale"] = tensors["logit_scale"].reshape(model.logit_scale.shape)
        resize_pos_embed(tensors, model)
        resize_text_pos_embed(tensors, model)
    except (RuntimeError, ValueError, KeyError, IndexError) as error:  # the shapes are those of no such model
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
    problem = differences(model, tensors)
    if problem is None:
        model.load_state_dict(tensors)
    return problem


def _load_big_vision(model: nn.Module, path: Path) -> str | None:
    """Load the .npz file of one of Google's models; return what does not fit, if anything."""
    if not zipfile.is_zipfile(path):
        return "no .npz archive"
    try:
        open_clip.load_checkpoint(model, path)
    except Exception as error:  # numpy and zipfile raise errors of many classes
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
    return None


def _check_activation(name: str, weights: str, quick_gelu: bool) -> None:
    """Warn if weights were trained with the other of CLIP's two activations; they load without an error."""
    if quick_gelu == open_clip.get_model_config(name).get("quick_gelu", False):
        return
    other = f"{name}-quickgelu" if quick_gelu else name.removesuffix("-quickgelu")
    log.warning(
        "model.name: %s computes %s, but %s was trained with %s, so its features are worse; use %s",
        name,
        *(("GELU", weights, "QuickGELU") if quick_gelu else ("QuickGELU", weights, "GELU")),
        other if other in open_clip.list_models() else "a config with the other `quick_gelu`",
    )


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Drop open_clip's warnings about random weights, which are asked for or replaced, and about QuickGELU."""

    def wanted(record: logging.LogRecord) -> bool:
        return "initialized randomly" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(wanted)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="QuickGELU mismatch")
            yield
    finally:
        root.removeFilter(wanted)
