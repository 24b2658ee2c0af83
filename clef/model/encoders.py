"""The image and the text encoder: an open_clip model with a common feature space."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from clef.batches.augmentation import evaluation_view
from clef.errors import ClefError
from clef.model.open_clip_model import create_model
from clef.params.schema import ModelParams


class Encoders(nn.Module):
    """An image and a text encoder with a common feature space.

    Args:
        settings: The open_clip model and its pretrained weights.

    Raises:
        ClefError: The model is unknown, or its weights cannot be loaded.
    """

    clip: Any
    """The open_clip model."""

    def __init__(self, settings: ModelParams) -> None:
        super().__init__()
        self.name = settings.name
        self.clip = create_model(settings)
        self.clip.visual.to(memory_format=torch.channels_last)  # speeds up convolutions by half
        self.clip.logit_scale.requires_grad_(False)  # each task learns its own scale
        self.tokenizer = open_clip.get_tokenizer(settings.name)
        self.image_size = settings.image_size
        self.dim: int = open_clip.get_model_config(settings.name)["embed_dim"]
        preprocessing = open_clip.get_model_preprocess_cfg(self.clip)
        self.mean: tuple[float, ...] = tuple(preprocessing["mean"])
        self.std: tuple[float, ...] = tuple(preprocessing["std"])
        self._encode_image = self.clip.encode_image
        self._images_at_once: int | None = None

    @property
    def can_checkpoint_gradients(self) -> bool:
        """Whether the image tower can compute activations twice: batch norm would count each image twice."""
        return not self.has_batch_norm and any(hasattr(m, "grad_checkpointing") for m in self.clip.visual.modules())

    @property
    def has_batch_norm(self) -> bool:
        """Whether the image tower has batch norm."""
        return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in self.clip.visual.modules())

    def checkpoint_gradients(self) -> None:
        """Compute the activations of both towers again for the gradient, block by block, instead of keeping them.

        Raises:
            ClefError: The image tower cannot.
        """
        if not self.can_checkpoint_gradients:
            why = "has batch norm, which would count each image twice" if self.has_batch_norm else "does not offer it"
            raise ClefError(f"tower.gradient_checkpointing: the image tower of {self.name} {why}; leave it out")
        self.clip.set_grad_checkpointing()

    def compile_images(self, compiled: bool = True) -> None:
        """Compile the image tower at its next call, or go back to the tower as it is."""
        self._encode_image = torch.compile(self.clip.encode_image) if compiled else self.clip.encode_image

    def limit_images_at_once(self, number: int) -> None:
        """Keep the activations of at most so many images for the gradient; the gradient stays that of the whole batch.

        Each part of a larger batch is passed through the tower twice: first for its features, and then for the gradient
        (Gao et al.: Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, RepL4NLP 2021).

        Raises:
            ClefError: The tower has batch norm.
        """
        if self.has_batch_norm:
            raise ClefError(
                f"tower.images_at_once: the image tower of {self.name} has batch norm, whose statistics need the whole "
                "batch; leave it out, or use a model without batch norm"
            )
        self._images_at_once = number

    def evaluation_view(self, images: Tensor, *_: object) -> Tensor:
        """Resize and normalise whole images, uint8 (batch, 3, side, side) to (batch, 3, size, size)."""
        return evaluation_view(images, self.image_size, self.mean, self.std)

    def image_features(self, images: Tensor) -> Tensor:
        """Encode normalised images (batch, 3, size, size) to features (batch, dim) of any length."""
        images = images.contiguous(memory_format=torch.channels_last)
        if self._images_at_once is None or not torch.is_grad_enabled() or len(images) <= self._images_at_once:
            return self._encode_image(images)
        parts = images.split(self._images_at_once)
        return torch.cat([checkpoint(self._encode_image, part, use_reentrant=False) for part in parts])

    def images(self, images: Tensor) -> Tensor:
        """Encode normalised images (batch, 3, size, size) to unit features (batch, dim) in float32."""
        return F.normalize(self.image_features(images).float(), dim=-1)

    def texts(self, tokens: Tensor) -> Tensor:
        """Encode the result of `tokenize` to unit features (text, dim) in float32."""
        return F.normalize(self._encode_text(tokens).float(), dim=-1)

    def _encode_text(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        if length == self.clip.context_length:
            return self.clip.encode_text(tokens)
        # open_clip's CLIP adds the embeddings of all positions, whatever the length of its input.
        cut = {
            "positional_embedding": self.clip.positional_embedding[:length],
            "attn_mask": self.clip.attn_mask[:length, :length],
        }
        return functional_call(self.clip, cut, kwargs={"text": tokens}, tie_weights=False)[1]

    @property
    def ignores_padding(self) -> bool:
        """Whether tokens behind the end of a text cannot change its features."""
        clip = self.clip
        return isinstance(clip, open_clip.CLIP) and clip.attn_mask is not None and clip.text_pool_type == "argmax"

    def freeze_text(self) -> None:
        """Train the image tower only."""
        for name, parameter in self.clip.named_parameters():
            if not name.startswith("visual."):
                parameter.requires_grad_(False)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Tokenize texts to (text, length): the longest of them, or the whole context where the tower reads padding.

        Raises:
            ClefError: A text is longer than the context; open_clip would cut it.
        """
        context = self.clip.context_length
        longest = 0
        for text in texts:
            length = len(self.tokenizer.encode(text)) + 2  # start and end of text
            if length > context:
                shown = text if len(text) <= 60 else f"{text[:60]}..."
                raise ClefError(f"texts: {shown!r} has {length} tokens; {self.name} reads {context}: shorten it")
            longest = max(longest, length)
        return self.tokenizer(list(texts), context_length=longest if self.ignores_padding else context)

    @property
    def normalisation(self) -> dict[str, list[float]]:
        """Mean and standard deviation of each channel, for the sidecar."""
        return {"mean": list(self.mean), "std": list(self.std)}

    def normalise_as(self, sidecar: Mapping[str, Any], weights: Path) -> None:
        """Normalise images like the training with this sidecar; raise a ClefError that names its weights if it cannot.

        open_clip knows the values only by the pretrained tag, and a later stage may have another tag or none.
        """
        values = sidecar.get("normalisation")
        if values is None:
            raise ClefError(f"{weights}: the .json beside it has no normalisation of images; train again")
        self.mean, self.std = tuple(values["mean"]), tuple(values["std"])


def architecture(name: str) -> dict[str, Any] | None:
    """Return the open_clip config of a model."""
    return open_clip.get_model_config(name)
