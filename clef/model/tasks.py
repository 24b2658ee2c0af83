"""The open_clip model, and the two stages as tasks: encoders with a head that turn a batch into losses.

The training loop only knows `Task`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clef.batches.randomness import integers
from clef.errors import ClefError
from clef.model import losses
from clef.model.open_clip_model import create_model
from clef.model.texts import LabelTexts, Templates, fill
from clef.params.schema import FinetuneParams, LabelParams, ModelParams, PretrainParams

MAX_LOGIT_SCALE = 100.0
"""CLIP's limit of the learnt scale (Radford et al. 2021, section 2.5)."""

Gather = Callable[[Tensor], Tensor]
"""Joins the features of all processes' shares of a batch, (share, dim) to (batch, dim)."""


def no_gather(features: Tensor) -> Tensor:
    """Return the features of a process that has the whole batch."""
    return features


class Task(nn.Module, ABC):
    """A model that the training loop can train."""

    encoders: "Encoders"
    log_scale: nn.Parameter
    """Logarithm of the learnt logit scale; a linear head has none."""

    @abstractmethod
    def losses(
        self, views: Sequence[Tensor], targets: Tensor, step: int, gather: Gather = no_gather
    ) -> dict[str, Tensor]:
        """Compute named and weighted losses, whose sum is minimised.

        Args:
            views: Augmented views of this process's share of the images, each (share, 3, size, size).
            targets: Targets of the whole batch.
            step: Number of the step, counted from 0.
            gather: Applied to image features before the losses.
        """

    def forward(self, views: Sequence[Tensor], targets: Tensor, step: int, gather: Gather) -> dict[str, Tensor]:
        """Compute the losses; DistributedDataParallel calls this."""
        return self.losses(views, targets, step, gather)

    @torch.no_grad()
    def clamp(self) -> None:
        """Bring the logit scale back into CLIP's range, 1 to 100, after a step."""
        if hasattr(self, "log_scale"):
            self.log_scale.clamp_(0, float(np.log(MAX_LOGIT_SCALE)))


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
        if settings.gradient_checkpointing:
            self.clip.set_grad_checkpointing()
        self._visual = torch.compile(self.clip.encode_image) if settings.compile else self.clip.encode_image

    def image_features(self, images: Tensor) -> Tensor:
        """Encode normalised images (batch, 3, size, size) to features (batch, dim) of any length."""
        return self._visual(images.contiguous(memory_format=torch.channels_last))

    def images(self, images: Tensor) -> Tensor:
        """Encode normalised images (batch, 3, size, size) to unit features (batch, dim) in float32."""
        return F.normalize(self.image_features(images).float(), dim=-1)

    def texts(self, tokens: Tensor) -> Tensor:
        """Encode tokens (text, context) to unit features (text, dim) in float32."""
        return F.normalize(self.clip.encode_text(tokens).float(), dim=-1)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Tokenize texts to (text, context).

        Raises:
            ClefError: A text is longer than the context; open_clip would cut it.
        """
        context = self.clip.context_length
        for text in texts:
            length = len(self.tokenizer.encode(text)) + 2  # start and end of text
            if length > context:
                shown = text if len(text) <= 60 else f"{text[:60]}..."
                raise ClefError(f"texts: {shown!r} has {length} tokens; {self.name} reads {context}: shorten it")
        return self.tokenizer(list(texts), context_length=context)

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


def _full_precision(features: Tensor) -> torch.autocast:
    """Switch off autocast for logits: bfloat16 has three digits, so the order of frames would change."""
    return torch.autocast(features.device.type, enabled=False)


def _log_scale(start: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(float(np.log(start))))


class ActivityTask(Task):
    """Stage 1: attract views of one activity to each other and to the activity's text (the paper's L_II' + L_IA).

    Args:
        encoders: Both encoders, which are trained.
        texts: The description of each activity, in the order of the activity index.
        settings: Weights of the losses, temperature, and initial logit scale.
    """

    def __init__(self, encoders: Encoders, texts: Sequence[str], settings: PretrainParams) -> None:
        super().__init__()
        self.encoders = encoders
        self.settings = settings
        self.log_scale = _log_scale(settings.logit_scale)
        self.tokens: Tensor
        self.register_buffer("tokens", encoders.tokenize(texts), persistent=False)  # (activity, context)

    def losses(
        self, views: Sequence[Tensor], activities: Tensor, step: int, gather: Gather = no_gather
    ) -> dict[str, Tensor]:
        """Compute the losses of two augmentations of the same images; `activities` are indices, (batch,)."""
        shares = self.encoders.images(torch.cat(list(views)))  # (2 * share, dim)
        features = torch.cat([gather(share) for share in shares.chunk(len(views))])  # (2 * batch, dim)
        targets = activities.repeat(len(views))  # (2 * batch,)
        named = {}
        if self.settings.image_image:
            loss = losses.supervised_contrastive(features, targets, self.settings.temperature)
            named["image_image"] = self.settings.image_image * loss
        if self.settings.image_text:
            texts = self.encoders.texts(self.tokens)  # (activity, dim)
            loss = losses.image_text(features, texts, targets, self.log_scale.exp())
            named["image_text"] = self.settings.image_text * loss
        return named


class LabelTask(Task):
    """Stage 2: match images with the texts of the labels (the paper's L_IN + L_DN), or classify with a linear head.

    Args:
        encoders: Both encoders, from stage 1.
        texts: Name and description of each label.
        labels: Kind and order of the labels.
        templates: Sentences for names and descriptions.
        settings: Head, matching, and weights of the losses.
        weight: Weight of each action unit in the loss, (label,), or None.
        seed: Seed for drawing description templates.
    """

    def __init__(
        self,
        encoders: Encoders,
        texts: Sequence[LabelTexts],
        labels: LabelParams,
        templates: Templates,
        settings: FinetuneParams,
        weight: Tensor | None,
        seed: int,
    ) -> None:
        super().__init__()
        self.encoders = encoders
        self.kind = labels.kind
        self.settings = settings
        self.seed = seed
        self.pair = labels.kind == "action_units" and settings.matching == "pair"
        self.weight: Tensor | None
        self.register_buffer("weight", weight, persistent=False)
        if settings.head == "linear":
            # Batch norm, so that the features of an untrained encoder do not suffer from their small scale.
            self.head = nn.Sequential(nn.BatchNorm1d(encoders.dim, affine=False), nn.Linear(encoders.dim, len(texts)))
        else:
            self.log_scale = _log_scale(settings.logit_scale)
            self.bias = nn.Parameter(torch.zeros(len(texts)))
            names = [text.name for text in texts]
            descriptions = [text.description for text in texts]
            filled = [encoders.tokenize(fill(template, descriptions)) for template in templates.descriptions]
            self.names: Tensor
            self.absent: Tensor
            self.descriptions: Tensor
            self.register_buffer("names", encoders.tokenize(fill(templates.name, names)), persistent=False)
            self.register_buffer("absent", encoders.tokenize(fill(templates.absent, names)), persistent=False)
            self.register_buffer("descriptions", torch.stack(filled), persistent=False)  # (template, label, context)
        if settings.freeze_image:
            encoders.clip.visual.requires_grad_(False)

    def train(self, mode: bool = True) -> "LabelTask":
        """Set the training mode; a frozen image encoder keeps its running statistics."""
        super().train(mode)
        if self.settings.freeze_image:
            self.encoders.clip.visual.eval()
        return self

    def losses(
        self, views: Sequence[Tensor], targets: Tensor, step: int, gather: Gather = no_gather
    ) -> dict[str, Tensor]:
        """Compute the losses of one augmentation of the images. The step determines the template of each description.

        `targets` are occurrences with NaN for unknown, (batch, label); class indices with -1 for unknown, (batch,); or
        shares of votes, (batch, label).
        """
        settings, (images,) = self.settings, views
        features = gather(self.features(images))  # (batch, dim)
        if settings.head == "linear":
            return {"image_labels": self._label_loss(self._classify(features), targets)}
        count = len(self.names)
        tokens = [self.names, self.absent] if self.pair else [self.names]
        if settings.names_descriptions or settings.image_descriptions:
            drawn = integers(self.seed, "template", step, np.arange(count), high=len(self.descriptions))  # (label,)
            tokens.append(self.descriptions[torch.from_numpy(drawn), torch.arange(count)])  # (label, context)
        # Encode all texts at once: a GPU spends its time on the number of small kernels, not on a few more texts.
        texts = self.encoders.texts(torch.cat(tokens))  # (text, dim)
        names, descriptions = texts[: count * (1 + self.pair)], texts[-count:]
        named = {}
        if settings.image_names:
            named["image_names"] = settings.image_names * self._label_loss(self._match(features, names), targets)
        if settings.names_descriptions:
            loss = losses.name_description(names[:count], descriptions, self.log_scale.exp())
            named["names_descriptions"] = settings.names_descriptions * loss
        if settings.image_descriptions:
            described = torch.cat([descriptions, names[count:]])  # with the texts of absence
            loss = self._label_loss(self._match(features, described), targets)
            named["image_descriptions"] = settings.image_descriptions * loss
        return named

    def _match(self, features: Tensor, texts: Tensor) -> Tensor:
        """Compute logits (batch, label), or for pairs of texts (batch, label, 2) of absence and presence."""
        with _full_precision(features):
            cosines = features @ texts.T  # (batch, text)
            if self.pair:
                present, absent = cosines.chunk(2, dim=1)
                return self.log_scale.exp() * torch.stack([absent, present], dim=-1)
            logits = self.log_scale.exp() * cosines
            return logits + self.bias if self.kind == "action_units" else logits

    def _classify(self, features: Tensor) -> Tensor:
        """Compute logits (batch, label) of the linear head."""
        with _full_precision(features):
            return self.head(features)

    def _label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.kind == "expressions":
            return losses.expression(logits, targets, self.weight)
        if logits.ndim == 3:
            return losses.occurrence_pair(logits, targets, self.weight)
        return losses.occurrence(logits, targets, self.weight)

    def texts_for_prediction(self) -> Tensor | None:
        """Encode the texts that images are matched with: names, or descriptions if names have no loss."""
        if self.settings.head == "linear":
            return None
        tokens = self.names if self.settings.image_names else self.descriptions[0]
        return self.encoders.texts(torch.cat([tokens, self.absent]) if self.pair else tokens)

    def unmatched_texts(self) -> Tensor | None:
        """Encode a description of each label, (label, dim), if no image was ever matched with one; otherwise None."""
        if self.settings.head == "linear" or self.settings.image_descriptions:
            return None
        return self.encoders.texts(self.descriptions[0])

    def features(self, images: Tensor) -> Tensor:
        """Encode normalised images (batch, 3, size, size) to the features that the head reads, (batch, dim)."""
        if self.settings.head == "linear":
            return self.encoders.image_features(images).float()
        return self.encoders.images(images)

    def probabilities(self, features: Tensor, texts: Tensor | None) -> Tensor:
        """Predict the probability of each label, (batch, label); those of expressions sum to 1.

        Args:
            features: The result of `features`, (batch, dim).
            texts: The result of `texts_for_prediction`, computed once for all batches.
        """
        logits = self._classify(features) if texts is None else self._match(features, texts)
        if self.kind == "expressions":
            return logits.softmax(dim=-1)
        return logits.softmax(dim=-1)[..., 1] if logits.ndim == 3 else logits.sigmoid()
