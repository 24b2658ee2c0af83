"""The losses of both stages: pure functions of tensors that compute at least in float32, also under autocast."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from clef.errors import ClefError


def supervised_contrastive(features: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Pull views with the same label together, and push all others apart.

    Stage 1, between images: the label is the activity. Khosla et al.: Supervised Contrastive Learning, NeurIPS 2020,
    equation 2, with the mean over positives outside the logarithm. With two views per image and a different label for
    each image it is the NT-Xent loss of SimCLR.

    Args:
        features: L2-normalised features of all views, (view, dim).
        labels: Integer label of each view, (view,).
        temperature: Divides the cosine similarities.

    Returns:
        Mean over the views with a positive, or zero if there are none. The other views are only negatives.
    """
    logits = _similarities(features, features) / temperature  # (view, view)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    log_share = logits.masked_fill(itself, torch.finfo(logits.dtype).min).log_softmax(dim=1)
    positives = positive.sum(dim=1)  # (view,)
    per_view = -torch.where(positive, log_share, 0).sum(dim=1) / positives.clamp(min=1)
    return per_view.sum() / (positives > 0).sum().clamp(min=1)


def image_text(images: Tensor, texts: Tensor, targets: Tensor, logit_scale: Tensor | float) -> Tensor:
    """Match images with distinct texts, each of which may belong to several images.

    Stage 1, between images and activity texts: the symmetric loss of CLIP (Radford et al.: Learning Transferable Visual
    Models From Natural Language Supervision, ICML 2021, figure 3). The target of a text is uniform over its images.
    With one image per text it is CLIP's loss.

    Args:
        images: L2-normalised image features, (image, dim).
        texts: L2-normalised features of the distinct texts, (text, dim).
        targets: Index of each image's text, (image,).
        logit_scale: Multiplies the cosine similarities (not a logarithm).

    Returns:
        Mean of both directions. Texts without images are negatives of all images, and do not count in the mean over
        texts.
    """
    logits = logit_scale * _similarities(images, texts)  # (image, text)
    to_text = F.cross_entropy(logits, targets)
    belongs = F.one_hot(targets, len(texts)).bool()  # (image, text)
    images_of_text = belongs.sum(dim=0)  # (text,)
    per_text = -torch.where(belongs, logits.log_softmax(dim=0), 0).sum(dim=0) / images_of_text.clamp(min=1)
    to_image = per_text.sum() / (images_of_text > 0).sum()
    return (to_text + to_image) / 2


def name_description(names: Tensor, descriptions: Tensor, logit_scale: Tensor | float) -> Tensor:
    """Match the name of each label with its description, both (label, dim): the text-text loss of stage 2.

    InfoNCE in both directions; van den Oord et al.: Representation Learning with Contrastive Predictive Coding, 2018,
    equation 4. The arguments are as in `image_text`.
    """
    return image_text(names, descriptions, torch.arange(len(names), device=names.device), logit_scale)


def occurrence(
    logits: Tensor, targets: Tensor, weight: Tensor | None = None, positive_weight: Tensor | None = None
) -> Tensor:
    """Binary cross-entropy of action units, over the known targets.

    Args:
        logits: Logits of presence, (batch, action unit).
        targets: 1 present, 0 absent, NaN unknown, (batch, action unit).
        weight: Weight of each action unit, (action unit,), such as from `inverse_rate_weight`.
        positive_weight: Factor of the loss where the action unit is present, (action unit,), such as from
            `inverse_odds_weight`.

    Returns:
        Weighted mean over the known entries. It and its gradient are zero if there are none.
    """
    known = ~targets.isnan()  # (batch, action unit)
    logits = _at_least_float32(logits).masked_fill(~known, 0)
    pos_weight = None if positive_weight is None else positive_weight.to(logits)
    loss = F.binary_cross_entropy_with_logits(
        logits, targets.nan_to_num().to(logits), reduction="none", pos_weight=pos_weight
    )
    share = known.to(logits) if weight is None else known * weight.to(logits)  # (batch, action unit)
    return _weighted_mean(loss, share)


def occurrence_pair(
    logits: Tensor, targets: Tensor, weight: Tensor | None = None, positive_weight: Tensor | None = None
) -> Tensor:
    """Cross-entropy of each action unit between a text of absence and one of presence, over the known targets.

    A softmax over two logits is the sigmoid of their difference, so this is `occurrence` of the difference. The logits
    are matches with the text of absence and with that of presence, (batch, action unit, 2).
    """
    absent, present = _at_least_float32(logits).unbind(dim=2)
    return occurrence(present - absent, targets, weight, positive_weight)


def expression(logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
    """Softmax cross-entropy of expressions, over the known targets.

    Args:
        logits: (batch, class).
        targets: Class indices with -1 for unknown, (batch,); or distributions over classes, such as shares of votes,
            with rows of zeros or NaN for unknown, (batch, class).
        weight: Weight of each class, (class,).

    Returns:
        Mean over the known images, each weighted like its class. It and its gradient are zero if there are none.
    """
    logits = _at_least_float32(logits)
    if targets.ndim == 1:
        known = targets >= 0
        shares = F.one_hot(targets.clamp(min=0), logits.shape[1]).to(logits) * known[:, None]
    else:
        known = ~targets.isnan().any(dim=1)
        shares = targets.to(logits).masked_fill(~known[:, None], 0)
    if weight is not None:
        shares = shares * weight.to(logits)
    return _weighted_mean(-logits.masked_fill(~known[:, None], 0).log_softmax(dim=1), shares)


def inverse_rate_weight(rates: Tensor | Sequence[float]) -> Tensor:
    """Weight action units by the inverse of their rates: `(1 / r_i) / sum_j(1 / r_j) * n`.

    The convention of the field; Shao et al.: JAA-Net, IJCV 2021.

    Args:
        rates: Rate of each action unit in the training frames, as a share or in per cent, (action unit,). One that
            never occurs (0) or is never known (NaN) gets the weight of the rarest that occurs.

    Returns:
        Weights with mean 1, float32, (action unit,).

    Raises:
        ClefError: No action unit occurs.
    """
    rates = torch.as_tensor(rates, dtype=torch.float64)
    occurs = rates > 0
    if not occurs.any():
        raise ClefError(
            "action-unit weights: no action unit occurs in the training frames; expected at least one: "
            "check labels.action_units and labels.threshold, or set finetune.label_weight: none"
        )
    inverse = 1 / torch.where(occurs, rates, rates[occurs].min())
    return (inverse / inverse.sum() * len(rates)).float()


def inverse_odds_weight(rates: Tensor | Sequence[float]) -> Tensor:
    """Weight the presence of action units by (1 - r) / r, so that presence and absence count the same.

    Args:
        rates: Share of the training frames with each action unit, (action unit,). One that never or always occurs, or
            is never known (NaN), gets 1.

    Returns:
        float32, (action unit,).
    """
    rates = torch.as_tensor(rates, dtype=torch.float64)
    both = (rates > 0) & (rates < 1)
    return torch.where(both, (1 - rates) / torch.where(both, rates, 1), 1).float()


def _similarities(left: Tensor, right: Tensor) -> Tensor:
    # In half precision, as under autocast, the temperature would magnify rounding errors.
    with torch.autocast(left.device.type, enabled=False):
        return _at_least_float32(left) @ _at_least_float32(right).T


def _at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def _weighted_mean(loss: Tensor, share: Tensor) -> Tensor:
    total = share.sum()
    return (loss * share).sum() / torch.where(total > 0, total, 1)
