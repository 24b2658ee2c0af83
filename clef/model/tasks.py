"""The two stages as tasks: encoders with a head that turn a batch into losses.

The training loop only knows `Task`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clef.batches.randomness import integers
from clef.batches.transfer import to_device
from clef.errors import ClefError
from clef.model import losses
from clef.model.encoders import Encoders
from clef.model.texts import LabelTexts, Templates, fill
from clef.params.schema import FinetuneParams, LabelParams, PretrainParams

MAX_LOGIT_SCALE = 100.0
"""CLIP's limit of the learnt scale (Radford et al. 2021, section 2.5)."""

Gather = Callable[[Tensor], Tensor]
"""Joins the features of all processes' shares of a batch, (share, dim) to (batch, dim)."""


def no_gather(features: Tensor) -> Tensor:
    """Return the features of a process that has the whole batch."""
    return features


class Task(nn.Module, ABC):
    """A model that the training loop can train."""

    encoders: Encoders
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
        self.register_buffer("tokens", encoders.tokenize(texts), persistent=False)  # (activity, length)

    def losses(
        self, views: Sequence[Tensor], targets: Tensor, step: int, gather: Gather = no_gather
    ) -> dict[str, Tensor]:
        """Compute the losses of two augmentations of the same images.

        `targets` are two indices of each image, (batch, 2): its activity, and its group in the image-image loss, which
        is the activity too unless the params say otherwise.
        """
        shares = self.encoders.images(torch.cat(list(views)))  # (2 * share, dim)
        features = torch.cat([gather(share) for share in shares.chunk(len(views))])  # (2 * batch, dim)
        activities, groups = targets.repeat(len(views), 1).unbind(dim=1)  # (2 * batch,) each
        named = {}
        if self.settings.image_image:
            loss = losses.supervised_contrastive(features, groups, self.settings.temperature)
            named["image_image"] = self.settings.image_image * loss
        if self.settings.image_text:
            texts = self.encoders.texts(self.tokens)  # (activity, dim)
            loss = losses.image_text(features, texts, activities, self.log_scale.exp())
            named["image_text"] = self.settings.image_text * loss
        return named


class LabelTask(Task):
    """Stage 2: match images with the texts of the labels (the paper's L_IN + L_DN), or classify without texts.

    With unit image features f and text features t, the logit of an action unit is `scale * f @ t + bias`, and that of
    an expression `scale * f @ t`. Standardised features are divided by the root of their dimension, which gives them
    about unit length.

    Args:
        encoders: Both encoders, from stage 1.
        texts: Name and description of each label.
        labels: Kind and order of the labels.
        templates: Sentences for names and descriptions.
        settings: Head, matching, and weights of the losses.
        rates: Share of the training frames with each action unit, (label,), which the losses may be weighted by; None
            for expressions, and without training.
        seed: Seed for drawing description templates.
    """

    def __init__(
        self,
        encoders: Encoders,
        texts: Sequence[LabelTexts],
        labels: LabelParams,
        templates: Templates,
        settings: FinetuneParams,
        rates: Tensor | None,
        seed: int,
    ) -> None:
        super().__init__()
        self.encoders = encoders
        self.kind = labels.kind
        self.settings = settings
        self.templates = templates
        self.seed = seed
        self.pair = labels.kind == "action_units" and settings.head == "text" and settings.matching == "pair"
        weight = positive_weight = None
        if rates is not None:
            weight = losses.inverse_rate_weight(rates) if settings.label_weight == "inverse" else None
            positive_weight = losses.inverse_odds_weight(rates) if settings.positive_weight == "inverse" else None
        self.weight: Tensor | None
        self.positive_weight: Tensor | None
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("positive_weight", positive_weight, persistent=False)
        standardise = nn.BatchNorm1d(encoders.dim, affine=False) if settings.norm == "standardised" else nn.Identity()
        if settings.head == "linear":
            self.head = nn.Sequential(standardise, nn.Linear(encoders.dim, len(texts)))
        else:
            self.standardise = standardise
            self.log_scale = _log_scale(settings.logit_scale)
            self.bias = nn.Parameter(_initial_bias(settings, rates, len(texts)))
        if settings.head == "vectors":
            self.vectors = nn.Parameter(torch.randn(len(texts), encoders.dim))
        if settings.head == "text":
            names = [text.name for text in texts]
            descriptions = [text.description for text in texts]
            filled = [fill(templates.name, names), fill(templates.absent, names)]
            filled += [fill(template, descriptions) for template in templates.descriptions]
            tokens = encoders.tokenize([text for texts in filled for text in texts])
            tokens = tokens.unflatten(0, (len(filled), len(texts)))  # (template, label, length)
            self.names: Tensor
            self.absent: Tensor
            self.descriptions: Tensor
            self.register_buffer("names", tokens[0], persistent=False)
            self.register_buffer("absent", tokens[1], persistent=False)
            self.register_buffer("descriptions", tokens[2:], persistent=False)  # (template, label, length)
        if settings.freeze_image:
            encoders.clip.visual.requires_grad_(False)
        if settings.freeze_text:
            encoders.freeze_text()

    def train(self, mode: bool = True) -> "LabelTask":
        """Set the training mode; a frozen image encoder keeps its running statistics."""
        super().train(mode)
        if self.settings.freeze_image:
            self.encoders.clip.visual.eval()
        return self

    def for_labels(self, texts: Sequence[LabelTexts], labels: LabelParams) -> "LabelTask":
        """Return a task that predicts other labels from their texts, with the same towers and scale and without bias.

        Raises:
            ClefError: The head reads no texts.
        """
        if self.settings.head != "text":
            raise ClefError(
                f"finetune.head: {self.settings.head} knows no texts, so it cannot predict labels that it was not "
                "trained on; use head text"
            )
        settings = self.settings.model_copy(update={"label_weight": "none"})
        task = LabelTask(self.encoders, texts, labels, self.templates, settings, None, self.seed)
        task.log_scale, task.standardise = self.log_scale, self.standardise
        return task.to(self.bias.device)

    def losses(
        self, views: Sequence[Tensor], targets: Tensor, step: int, gather: Gather = no_gather
    ) -> dict[str, Tensor]:
        """Compute the losses of one augmentation of the images. The step determines the template of each description.

        `targets` are occurrences with NaN for unknown, (batch, label); class indices with -1 for unknown, (batch,); or
        shares of votes, (batch, label).
        """
        settings, (images,) = self.settings, views
        features = gather(self.features(images))  # (batch, dim)
        if settings.head != "text":
            return {"image_labels": self._label_loss(self._logits(features, self.texts_for_prediction()), targets)}
        count = len(self.names)
        tokens = [self.names, self.absent] if self.pair else [self.names]
        if settings.names_descriptions or settings.image_descriptions:
            drawn = integers(self.seed, "template", step, np.arange(count), high=len(self.descriptions))  # (label,)
            rows = to_device(torch.from_numpy(drawn * count + np.arange(count)), self.descriptions.device)
            tokens.append(self.descriptions.flatten(0, 1)[rows])  # (label, length)
        # Encode all texts at once: a GPU spends its time on the number of small kernels, not on a few more texts.
        texts = self.encoders.texts(torch.cat(tokens))  # (text, dim)
        names, descriptions = texts[: count * (1 + self.pair)], texts[-count:]
        scaled = self._scaled(features)  # once, since batch norm counts every call
        named = {}
        if settings.image_names:
            named["image_names"] = settings.image_names * self._label_loss(self._match(scaled, names), targets)
        if settings.names_descriptions:
            loss = losses.name_description(names[:count], descriptions, self.log_scale.exp())
            named["names_descriptions"] = settings.names_descriptions * loss
        if settings.image_descriptions:
            described = torch.cat([descriptions, names[count:]])  # with the texts of absence
            loss = self._label_loss(self._match(scaled, described), targets)
            named["image_descriptions"] = settings.image_descriptions * loss
        return named

    def _scaled(self, features: Tensor) -> Tensor:
        """Scale features (batch, dim) to about unit length, for similarities with texts."""
        if self.settings.norm == "unit":
            return features
        with _full_precision(features):
            return self.standardise(features) / self.encoders.dim**0.5

    def _match(self, scaled: Tensor, texts: Tensor) -> Tensor:
        """Compute logits (batch, label), or for pairs of texts (batch, label, 2) of absence and presence."""
        with _full_precision(scaled):
            similarities = scaled @ texts.T  # (batch, text)
            if self.pair:
                present, absent = similarities.chunk(2, dim=1)
                return self.log_scale.exp() * torch.stack([absent, present], dim=-1)
            logits = self.log_scale.exp() * similarities
            return logits + self.bias if self.kind == "action_units" else logits

    def _logits(self, features: Tensor, texts: Tensor | None) -> Tensor:
        """Compute logits of features and the result of `texts_for_prediction`; the shape is that of `_match`."""
        if texts is not None:
            return self._match(self._scaled(features), texts)
        with _full_precision(features):
            return self.head(features)

    def _label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.kind == "expressions":
            return losses.expression(logits, targets, self.weight)
        loss = losses.occurrence_pair if logits.ndim == 3 else losses.occurrence
        return loss(logits, targets, self.weight, self.positive_weight)

    def texts_for_prediction(self) -> Tensor | None:
        """Return what images are matched with, (text, dim), or None for a linear head.

        These are the names, or the descriptions if names have no loss: the mean of each over all templates, since
        training drew one at random.
        """
        if self.settings.head == "linear":
            return None
        if self.settings.head == "vectors":
            return F.normalize(self.vectors, dim=-1)
        if self.settings.image_names:
            return self.encoders.texts(torch.cat([self.names, self.absent]) if self.pair else self.names)
        described = self._mean_descriptions()
        return torch.cat([described, self.encoders.texts(self.absent)]) if self.pair else described

    def unmatched_texts(self) -> Tensor | None:
        """Encode a description of each label, (label, dim), if no image was ever matched with one; otherwise None."""
        if self.settings.head != "text" or self.settings.image_descriptions:
            return None
        return self._mean_descriptions()

    def _mean_descriptions(self) -> Tensor:
        """Average the features of each label's description over the templates, (label, dim), of unit length."""
        templates, count = self.descriptions.shape[:2]
        texts = self.encoders.texts(self.descriptions.flatten(0, 1)).unflatten(0, (templates, count))
        return F.normalize(texts.mean(dim=0), dim=-1)

    def features(self, images: Tensor) -> Tensor:
        """Encode normalised images (batch, 3, size, size) to the features that the head reads, (batch, dim)."""
        if self.settings.norm == "unit":
            return self.encoders.images(images)
        return self.encoders.image_features(images).float()

    def cosines(self, features: Tensor, texts: Tensor) -> Tensor:
        """Compare the result of `features` with unit text features (text, dim): cosines (batch, text)."""
        return F.normalize(self._scaled(features).float(), dim=-1) @ texts.T

    def probabilities(self, features: Tensor, texts: Tensor | None) -> Tensor:
        """Predict the probability of each label, (batch, label); those of expressions sum to 1.

        Args:
            features: The result of `features`, (batch, dim).
            texts: The result of `texts_for_prediction`, computed once for all batches.
        """
        logits = self._logits(features, texts)
        if self.kind == "expressions":
            return logits.softmax(dim=-1)
        return logits.softmax(dim=-1)[..., 1] if logits.ndim == 3 else logits.sigmoid()


def _initial_bias(settings: FinetuneParams, rates: Tensor | None, labels: int) -> Tensor:
    """Zeros, or the logits of the rates between 0.001 and 0.999, (label,); 0 for an unknown rate."""
    if settings.bias == "zero" or rates is None:
        return torch.zeros(labels)
    return rates.nan_to_num(0.5).logit(eps=1e-3).float()
