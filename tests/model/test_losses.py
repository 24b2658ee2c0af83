import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from clef.errors import ClefError
from clef.model.losses import (
    expression,
    image_text,
    inverse_odds_weight,
    inverse_rate_weight,
    name_description,
    occurrence,
    occurrence_pair,
    supervised_contrastive,
)

NAN = float("nan")
SEEDS = st.integers(0, 2**31)
few = settings(max_examples=15)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(seed, *shape):
    return F.normalize(normal(seed, *shape), dim=-1)


def whole(seed, high, *shape):
    return torch.randint(0, high, shape, generator=torch.Generator().manual_seed(seed))


def occurrences(seed, *shape):
    """Occurrences, of which about a third are unknown, but not the first."""
    targets = whole(seed, 3, *shape).double()
    targets[targets == 2] = NAN
    targets[0, 0] = 1
    return targets


# The formulas of the papers, term by term.


def slow_supervised_contrastive(z, labels, temperature):
    terms = []
    for v in range(len(z)):
        positives = [p for p in range(len(z)) if p != v and labels[p] == labels[v]]
        if not positives:
            continue
        below = sum(math.exp(float(z[v] @ z[u]) / temperature) for u in range(len(z)) if u != v)
        logs = [math.log(math.exp(float(z[v] @ z[p]) / temperature) / below) for p in positives]
        terms.append(-sum(logs) / len(positives))
    return sum(terms) / len(terms) if terms else 0.0


def slow_image_text(images, texts, targets, scale):
    match = [[math.exp(scale * float(image @ text)) for text in texts] for image in images]
    to_text = [-math.log(row[target] / sum(row)) for row, target in zip(match, targets, strict=True)]
    to_image = []
    for a in range(len(texts)):
        own = [i for i in range(len(images)) if targets[i] == a]
        if own:
            column = sum(row[a] for row in match)
            to_image.append(-sum(math.log(match[i][a] / column) for i in own) / len(own))
    return (sum(to_text) / len(to_text) + sum(to_image) / len(to_image)) / 2


def slow_occurrence(logits, targets, weight):
    above = below = 0.0
    for i, k in np.ndindex(*logits.shape):
        target = float(targets[i, k])
        if not math.isnan(target):
            present = 1 / (1 + math.exp(-float(logits[i, k])))
            above -= float(weight[k]) * math.log(present if target == 1 else 1 - present)
            below += float(weight[k])
    return above / below


def same(loss, expected, tolerance=1e-9):
    assert loss.item() == pytest.approx(float(expected), abs=tolerance, rel=tolerance)


@few
@given(seed=SEEDS, views=st.integers(1, 12), labels=st.integers(1, 5), temperature=st.sampled_from([0.07, 0.1, 1]))
def test_supervised_contrastive_equals_the_formula(seed, views, labels, temperature):
    z, y = unit(seed, views, 6), whole(seed, labels, views)
    same(supervised_contrastive(z, y, temperature), slow_supervised_contrastive(z, y, temperature))


@few
@given(seed=SEEDS, images=st.integers(1, 9), texts=st.integers(1, 6), scale=st.sampled_from([1.0, 14.3, 100.0]))
def test_image_text_equals_the_formula(seed, images, texts, scale):
    z, t, targets = unit(seed, images, 6), unit(seed + 1, texts, 6), whole(seed, texts, images)
    same(image_text(z, t, targets, scale), slow_image_text(z, t, targets.tolist(), scale))


@few
@given(seed=SEEDS, batch=st.integers(1, 6), units=st.integers(1, 5))
def test_occurrence_equals_the_formula(seed, batch, units):
    logits, targets = 3 * normal(seed, batch, units), occurrences(seed, batch, units)
    weight = normal(seed + 1, units).exp()
    same(occurrence(logits, targets, weight), slow_occurrence(logits, targets, weight))
    same(occurrence(logits, targets), slow_occurrence(logits, targets, torch.ones(units)))


@few
@given(seed=SEEDS, batch=st.integers(1, 6), units=st.integers(1, 5))
def test_occurrence_pair_is_a_softmax_over_absent_and_present(seed, batch, units):
    logits, targets = 3 * normal(seed, batch, units, 2), occurrences(seed, batch, units)
    weight = normal(seed + 1, units).exp()
    known = ~targets.isnan()
    kept = F.cross_entropy(logits[known], targets[known].long(), reduction="none")
    heavy = weight.expand_as(targets)[known]
    same(occurrence_pair(logits, targets, weight), (kept * heavy).sum() / heavy.sum())
    same(occurrence_pair(logits, targets), kept.mean())


@few
@given(seed=SEEDS, batch=st.integers(1, 6), classes=st.integers(2, 5))
def test_expression_is_a_weighted_cross_entropy(seed, batch, classes):
    logits, index = 3 * normal(seed, batch, classes), whole(seed, classes, batch)
    weight = normal(seed + 1, classes).exp()
    same(expression(logits, index, weight), F.cross_entropy(logits, index, weight))
    shares = normal(seed + 2, batch, classes).softmax(dim=1)
    same(expression(logits, shares), F.cross_entropy(logits, shares))
    heavy = shares * weight
    same(expression(logits, shares, weight), -(heavy * logits.softmax(dim=1).log()).sum() / heavy.sum())


def test_one_image_per_text_gives_the_loss_of_clip():
    from open_clip.loss import ClipLoss

    images, texts = unit(0, 8, 16).float(), unit(1, 8, 16).float()
    reference = ClipLoss()(images, texts, torch.tensor(1 / 0.07))
    same(image_text(images, texts, torch.arange(8), 1 / 0.07), reference, 1e-6)
    same(name_description(images, texts, 1 / 0.07), reference, 1e-6)


@pytest.mark.parametrize("value", [NAN, float("inf"), 1e30])
def test_unknown_targets_have_no_influence(value):
    targets = torch.tensor([[1, NAN, 0], [NAN, NAN, NAN]])
    logits = torch.tensor([[0.3, value, -2.0], [value, value, value]]).requires_grad_()
    loss = occurrence(logits, targets)
    loss.backward()
    same(loss, occurrence(logits[:1, [0, 2]].detach(), targets[:1, [0, 2]]), 1e-7)
    unknown = targets.isnan()
    assert torch.equal(logits.grad[unknown], torch.zeros(4))
    assert (logits.grad[~unknown] != 0).all()

    pairs = torch.stack([logits, -logits], dim=2).detach().requires_grad_()
    occurrence_pair(pairs, targets).backward()
    assert torch.equal(pairs.grad[unknown], torch.zeros(4, 2))
    assert (pairs.grad[~unknown] != 0).all()

    scores = torch.tensor([[0.3, 1.0, -2.0], [value, value, value]]).requires_grad_()
    for answer in (torch.tensor([2, -1]), torch.tensor([[0, 0, 1.0], [NAN, NAN, NAN]])):
        scores.grad = None
        expression(scores, answer).backward()
        assert torch.equal(scores.grad[1], torch.zeros(3))
        assert (scores.grad[0] != 0).all()


@pytest.mark.parametrize(
    ("loss", "shape"),
    [
        (lambda x, weight: occurrence(x, torch.full((2, 3), NAN), weight), (2, 3)),
        (lambda x, weight: occurrence_pair(x, torch.full((2, 3), NAN), weight), (2, 3, 2)),
        (lambda x, weight: expression(x, torch.tensor([-1, -1]), weight), (2, 3)),
        (lambda x, weight: expression(x, torch.zeros(2, 3), weight), (2, 3)),
        (lambda x, weight: expression(x, torch.full((2, 3), NAN), weight), (2, 3)),
        (lambda z, weight: supervised_contrastive(z, torch.arange(4), 0.1), (4, 3)),
        (lambda z, weight: supervised_contrastive(z, torch.arange(1), 0.1), (1, 3)),
    ],
)
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 3.0])])
def test_without_known_targets_or_positives_loss_and_gradient_are_zero(loss, shape, weight):
    values = torch.ones(shape, requires_grad=True)
    found = loss(values, weight)
    found.backward()
    assert found.item() == 0
    assert torch.equal(values.grad, torch.zeros(shape))


def test_extreme_values_stay_finite():
    logits = torch.tensor([[1e4, -1e4, 1e4], [-1e4, 1e4, 0.0]], requires_grad=True)
    targets = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    pairs = torch.stack([-logits, logits], dim=2)
    opposite = torch.tensor([[1.0, 0], [-1, 0], [1, 0]], requires_grad=True)
    for value in (
        occurrence(logits, targets),
        occurrence_pair(pairs, targets),
        expression(logits, torch.tensor([1, 0])),
        supervised_contrastive(opposite, torch.tensor([0, 0, 1]), 1e-3),
        image_text(opposite, -opposite[:2], torch.tensor([0, 1, 0]), 1e4),
    ):
        assert value.isfinite()
        assert value > 0
        for leaf in (logits, opposite):
            leaf.grad = None
        value.backward()
        assert all(leaf.grad is None or leaf.grad.isfinite().all() for leaf in (logits, opposite))


def test_losses_under_autocast_compute_in_float32():
    z, t = unit(0, 12, 64).bfloat16(), unit(1, 4, 64).bfloat16()
    labels = whole(0, 4, 12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        contrast, matched = supervised_contrastive(z, labels, 0.05), image_text(z, t, labels, 100.0)
        known = occurrence(z[:, :4], F.one_hot(labels, 4).float())
    assert {contrast.dtype, matched.dtype, known.dtype} == {torch.float32}
    same(contrast, supervised_contrastive(z.double(), labels, 0.05), 1e-5)
    same(matched, image_text(z.double(), t.double(), labels, 100.0), 1e-5)
    same(known, occurrence(z[:, :4].double(), F.one_hot(labels, 4).double()), 1e-5)


# BP4D, action units 1 2 4 6 7 10 12 14 15 17 23 24: published rates in per cent, rounded to a tenth, of all
# 146,847 frames and of the 50,631 of part 1, which fold 3 tests on; and the published weights of fold 3.
ALL = [21.1, 17.1, 20.3, 46.1, 54.9, 59.4, 56.2, 46.6, 16.9, 34.3, 16.5, 15.1]
PART_1 = [16.4, 16.1, 19.9, 41.6, 59.0, 57.6, 55.8, 40.0, 15.1, 31.8, 15.8, 14.0]
PUBLISHED = [1.132895, 1.519623, 1.30856, 0.552098, 0.50714, 0.443118]
PUBLISHED += [0.474432, 0.535111, 1.49604, 0.749851, 1.582501, 1.698632]


def test_weights_equal_those_published_for_bp4d():
    rates = [(146_847 * every - 50_631 * part) / (146_847 - 50_631) for every, part in zip(ALL, PART_1, strict=True)]
    np.testing.assert_allclose(inverse_rate_weight(rates), PUBLISHED, rtol=0.01)
    exact = 0.3 / np.array(PUBLISHED)  # the formula undone, up to a factor
    np.testing.assert_allclose(inverse_rate_weight(exact.tolist()), PUBLISHED, rtol=2e-6)


@few
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=12))
def test_weights_have_mean_one_and_balance_rates(rates):
    weight = inverse_rate_weight(rates).double()
    same(weight.mean(), 1, 1e-5)
    np.testing.assert_allclose(weight * torch.tensor(rates), float(weight[0]) * rates[0], rtol=1e-5)
    np.testing.assert_allclose(inverse_rate_weight([100 * rate for rate in rates]), weight, rtol=1e-5)


def test_an_action_unit_that_never_occurs_has_the_weight_of_the_rarest():
    for rate in (0.0, NAN):
        np.testing.assert_allclose(inverse_rate_weight([0.5, rate, 0.1]), inverse_rate_weight([0.5, 0.1, 0.1]))
    with pytest.raises(ClefError, match="no action unit occurs"):
        inverse_rate_weight([0.0, NAN])


def test_a_positive_weight_multiplies_the_loss_of_present_action_units():
    logits, targets = torch.tensor([[0.3, -1.0], [2.0, 0.5]]), torch.tensor([[1.0, 0.0], [NAN, 1.0]])
    weight, positive = torch.tensor([0.5, 1.5]), torch.tensor([4.0, 9.0])
    total = share = 0.0
    for row, column in ((0, 0), (0, 1), (1, 1)):
        probability = logits[row, column].sigmoid()
        present = targets[row, column] == 1
        loss = -(positive[column] * probability.log() if present else (1 - probability).log())
        total, share = total + weight[column] * loss, share + weight[column]
    torch.testing.assert_close(occurrence(logits, targets, weight, positive), total / share)
    pairs = torch.stack([torch.zeros(2, 2), logits], dim=2)
    torch.testing.assert_close(occurrence_pair(pairs, targets, weight, positive), total / share)


def test_presence_and_absence_count_the_same_with_inverse_odds():
    rates = torch.tensor([0.1, 0.5, 0.8])
    torch.testing.assert_close(inverse_odds_weight(rates) * rates, 1 - rates)
    assert inverse_odds_weight([0.0, 1.0, NAN]).tolist() == [1, 1, 1]
