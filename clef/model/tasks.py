"""The open_clip model, and the two stages as tasks: a task joins the encoders with its head and answers with losses.

The training loop knows only `Task`.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from clef.model.texts import LabelTexts, Templates, fill
from clef.params.schema import FinetuneParams, LabelParams, ModelParams, PretrainParams
from clef.weights.open_clip import download_error

open_clip.add_model_config(Path(__file__).with_name("configs"))

MAX_LOGIT_SCALE = 100.0
"""CLIP's clip on the learnt scale (Radford et al. 2021, section 2.5)."""


Gather = Callable[[Tensor], Tensor]
"""Makes the features of a whole batch, `(batch, dim)`, of one process's share of them."""


def _whole(features: Tensor) -> Tensor:
    """The share of a process that is alone."""
    return features


class Task(nn.Module, ABC):
    """What the training loop trains: encoders and a head that answer a batch with losses."""

    @abstractmethod
    def losses(self, views: Sequence[Tensor], targets: Tensor, step: int, gather: Gather = _whole) -> dict[str, Tensor]:
        """Named scalars, already weighted, whose sum is minimised.

        Args:
            views: Augmentations of this process's share of the images, each `(share, 3, size, size)`.
            targets: Those of the whole batch.
            step: Counted from 0.
            gather: Joins the features of all shares; what follows it sees the whole batch.
        """

    def forward(self, views: Sequence[Tensor], targets: Tensor, step: int, gather: Gather) -> dict[str, Tensor]:
        """The losses: what a wrapper around a task calls."""
        return self.losses(views, targets, step, gather)

    @abstractmethod
    def clamp(self) -> None:
        """Put parameters back into their range after a step."""


class Encoders(nn.Module):
    """The image and the text tower, into one space of unit vectors.

    Args:
        settings: Which open_clip model, and where its weights come from.

    Raises:
        ClefError: No such model, or its pretrained weights cannot be had.
    """

    clip: Any
    """The open_clip model."""

    def __init__(self, settings: ModelParams) -> None:
        super().__init__()
        self.name = settings.name
        self.clip = _create(settings)
        self.clip.visual.to(memory_format=torch.channels_last)  # convolutions are half as slow again without
        self.clip.logit_scale.requires_grad_(False)  # each task learns a scale of its own
        self.tokenizer = open_clip.get_tokenizer(settings.name)
        self.image_size = settings.image_size
        self.dim: int = open_clip.get_model_config(settings.name)["embed_dim"]
        normalisation = open_clip.get_model_preprocess_cfg(self.clip)
        self.mean: tuple[float, ...] = tuple(normalisation["mean"])
        self.std: tuple[float, ...] = tuple(normalisation["std"])
        if settings.gradient_checkpointing:
            self.clip.set_grad_checkpointing()
        self._visual = torch.compile(self.clip.encode_image) if settings.compile else self.clip.encode_image

    def image_features(self, images: Tensor) -> Tensor:
        """Features before normalisation, (batch, dim), of normalised images (batch, 3, size, size)."""
        return self._visual(images.contiguous(memory_format=torch.channels_last))

    def images(self, images: Tensor) -> Tensor:
        """Unit features (batch, dim), in float32."""
        return F.normalize(self.image_features(images).float(), dim=-1)

    def texts(self, tokens: Tensor) -> Tensor:
        """Unit features (text, dim), in float32, of tokens (text, context)."""
        return F.normalize(self.clip.encode_text(tokens).float(), dim=-1)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Tokens (text, context).

        Raises:
            ClefError: A text is longer than the model's context; it would be cut without a word.
        """
        context = self.clip.context_length
        for text in texts:
            length = len(self.tokenizer.encode(text)) + 2  # start and end of text
            if length > context:
                raise ClefError(f"texts: {text!r} has {length} tokens; {self.name} reads {context}: shorten it")
        return self.tokenizer(list(texts), context_length=context)

    @property
    def normalisation(self) -> dict[str, list[float]]:
        """Mean and standard deviation of each channel, as a sidecar keeps them."""
        return {"mean": list(self.mean), "std": list(self.std)}

    def normalise_as(self, sidecar: Mapping[str, Any], weights: Path) -> None:
        """Normalise images as the training did that made some weights.

        open_clip knows the values by the tag that a training began from, and a later stage may have no tag or another.

        Args:
            sidecar: Of the weights.
            weights: Their file, for messages.

        Raises:
            ClefError: The sidecar does not say.
        """
        kept = sidecar.get("normalisation")
        if kept is None:
            raise ClefError(f"{weights}: the .json beside it has no normalisation of images; train again")
        self.mean, self.std = tuple(kept["mean"]), tuple(kept["std"])


def architecture(name: str) -> dict[str, Any] | None:
    """What stands behind a model's name: open_clip's config of it, or the project's own."""
    return open_clip.get_model_config(name)


def _create(settings: ModelParams) -> nn.Module:
    if settings.name not in open_clip.list_models():
        raise ClefError(f"model.name: open_clip has no model {settings.name}; see open_clip.list_models()")
    tag = settings.pretrained
    tags = open_clip.list_pretrained_tags_by_model(settings.name)
    a_file = tag is not None and tag not in tags and Path(tag).is_file()
    if tag is not None and tag not in tags and not a_file:
        known = ", ".join(tags) or "none"
        raise ClefError(f"model.pretrained: {tag}: no such file, and no tag of {settings.name} (it has {known})")
    try:
        with _without_remarks():
            return open_clip.create_model(settings.name, pretrained=tag, force_image_size=settings.image_size)
    except Exception as error:  # torch, pickle and safetensors each refuse a file in ways of their own
        if a_file:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise ClefError(
                f"model.pretrained: {tag} does not fit {settings.name} at {settings.image_size} pixels ({reason}); "
                "expected whole weights of that architecture: restore the file, or give its model.name"
            ) from None
        if tag is None or not isinstance(error, OSError | RuntimeError):
            raise
        raise download_error(settings.name, tag, error) from None


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Leave out what open_clip says of a model without a tag.

    That is what the params ask for, and mostly weights of an earlier stage follow.
    """

    def wanted(record: logging.LogRecord) -> bool:
        return "initialized randomly" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(wanted)
    try:
        yield
    finally:
        root.removeFilter(wanted)


def _full_precision(features: Tensor) -> torch.autocast:
    """No autocast, for what makes logits of float32 features.

    In bfloat16 a logit has three digits: frames would tie that differ, and fall on the other side of a threshold.
    """
    return torch.autocast(features.device.type, enabled=False)


def _scale(start: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(float(np.log(start))))


class ActivityTask(Task):
    """Stage 1: views of one activity attract each other and the activity's text (the paper's L_II' + L_IA).

    Args:
        encoders: Both towers, trained.
        texts: One description per activity, in the order of the activity index.
        settings: Weights of the losses, temperature, start of the logit scale.
    """

    def __init__(self, encoders: Encoders, texts: Sequence[str], settings: PretrainParams) -> None:
        super().__init__()
        self.encoders = encoders
        self.settings = settings
        self.log_scale = _scale(settings.logit_scale)
        self.tokens: Tensor
        self.register_buffer("tokens", encoders.tokenize(texts), persistent=False)  # (activity, context)

    def losses(
        self, views: Sequence[Tensor], activities: Tensor, step: int, gather: Gather = _whole
    ) -> dict[str, Tensor]:
        """Weighted losses of a batch.

        Args:
            views: Two augmentations of the same images, each (share, 3, size, size).
            activities: Activity index of each image, (batch,).
            step: Unused; the texts of stage 1 have one form.
            gather: Joins the features of a view.
        """
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

    @torch.no_grad()
    def clamp(self) -> None:
        """Keep the logit scale in CLIP's range."""
        self.log_scale.clamp_(0, float(np.log(MAX_LOGIT_SCALE)))


class LabelTask(Task):
    """Stage 2: match images with the texts of the labels (the paper's L_IN + L_DN), or classify them by a linear head.

    Args:
        encoders: Both towers, as stage 1 left them.
        texts: Name and description of each label.
        labels: Kind and order of the labels.
        templates: How names and descriptions become sentences.
        settings: Head, matching and weights of the losses.
        weight: Weight of each action unit in the loss, (label,), or None.
        seed: Draws the description templates.
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
            # Standardised features, so that a head on an untrained tower is no weaker than its features are.
            self.head = nn.Sequential(nn.BatchNorm1d(encoders.dim, affine=False), nn.Linear(encoders.dim, len(texts)))
        else:
            self.log_scale = _scale(settings.logit_scale)
            self.bias = nn.Parameter(torch.zeros(len(texts)))
            names = [text.name for text in texts]
            descriptions = [text.description for text in texts]
            self.names: Tensor
            self.absent: Tensor
            self.descriptions: Tensor
            self.register_buffer("names", encoders.tokenize(fill(templates.name, names)), persistent=False)
            self.register_buffer("absent", encoders.tokenize(fill(templates.absent, names)), persistent=False)
            filled = [encoders.tokenize(fill(template, descriptions)) for template in templates.descriptions]
            self.register_buffer("descriptions", torch.stack(filled), persistent=False)  # (template, label, context)
        if settings.freeze_image:
            encoders.clip.visual.requires_grad_(False)

    def train(self, mode: bool = True) -> "LabelTask":
        """As `nn.Module.train`, but a frozen image tower keeps its running statistics."""
        super().train(mode)
        if self.settings.freeze_image:
            self.encoders.clip.visual.eval()
        return self

    def losses(self, views: Sequence[Tensor], targets: Tensor, step: int, gather: Gather = _whole) -> dict[str, Tensor]:
        """Weighted losses of a batch.

        Args:
            views: One augmentation of the images, (share, 3, size, size).
            targets: (batch, label) occurrences with NaN, or (batch,) class indices with -1, or (batch, label) shares of
                annotators' votes.
            step: Draws a template for each description.
            gather: Joins the image features.
        """
        (images,) = views
        if self.settings.head == "linear":
            features = gather(self.encoders.image_features(images).float())  # (batch, dim)
            return {"image_labels": self._label_loss(self._classify(features), targets)}
        features = gather(self.encoders.images(images))  # (batch, dim)
        label_count = self.names.shape[0]
        tokens = [self.names, self.absent] if self.pair else [self.names]
        if self.settings.names_descriptions or self.settings.image_descriptions:
            drawn = integers(self.seed, "template", step, np.arange(label_count), high=len(self.descriptions))
            tokens.append(self.descriptions[torch.from_numpy(drawn), torch.arange(label_count)])  # (label, context)
        # Together, since so few texts cost a GPU the time of their many small steps and not of their number.
        texts = self.encoders.texts(torch.cat(tokens))  # (text, dim)
        names, descriptions = texts[: label_count * (1 + self.pair)], texts[-label_count:]
        named = {}
        if self.settings.image_names:
            named["image_names"] = self.settings.image_names * self._label_loss(self._match(features, names), targets)
        if self.settings.names_descriptions:
            loss = losses.name_description(names[:label_count], descriptions, self.log_scale.exp())
            named["names_descriptions"] = self.settings.names_descriptions * loss
        if self.settings.image_descriptions:
            described = torch.cat([descriptions, names[label_count:]])
            loss = self._label_loss(self._match(features, described), targets)
            named["image_descriptions"] = self.settings.image_descriptions * loss
        return named

    def _match(self, features: Tensor, texts: Tensor) -> Tensor:
        """Logits (batch, label), or (batch, label, 2) of absent and present where texts come in pairs."""
        with _full_precision(features):
            cosines = features @ texts.T  # (batch, text)
            if self.pair:
                present, absent = cosines.chunk(2, dim=1)
                return self.log_scale.exp() * torch.stack([absent, present], dim=-1)
            logits = self.log_scale.exp() * cosines
            return logits + self.bias if self.kind == "action_units" else logits

    def _classify(self, features: Tensor) -> Tensor:
        """Logits (batch, label) of the linear head."""
        with _full_precision(features):
            return self.head(features)

    def _label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.kind == "expressions":
            return losses.expression(logits, targets, self.weight)
        if logits.ndim == 3:
            return losses.occurrence_pair(logits, targets, self.weight)
        return losses.occurrence(logits, targets, self.weight)

    def texts_for_prediction(self) -> Tensor | None:
        """Features of the texts that images are matched with at prediction: names, or descriptions without names."""
        if self.settings.head == "linear":
            return None
        tokens = self.names if self.settings.image_names else self.descriptions[0]
        return self.encoders.texts(torch.cat([tokens, self.absent]) if self.pair else tokens)

    def probabilities(self, images: Tensor, texts: Tensor | None) -> Tensor:
        """Probability of each label, (batch, label); of expressions they sum to 1.

        Args:
            images: (batch, 3, size, size).
            texts: `texts_for_prediction()`, computed once for all batches.
        """
        if texts is None:
            logits = self._classify(self.encoders.image_features(images).float())
        else:
            logits = self._match(self.encoders.images(images), texts)
        if self.kind == "expressions":
            return logits.softmax(dim=-1)
        return logits.softmax(dim=-1)[..., 1] if logits.ndim == 3 else logits.sigmoid()

    @torch.no_grad()
    def clamp(self) -> None:
        """Keep the logit scale in CLIP's range."""
        if self.settings.head == "text":
            self.log_scale.clamp_(0, float(np.log(MAX_LOGIT_SCALE)))
