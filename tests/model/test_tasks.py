import numpy as np
import pytest
import torch

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.model import losses
from clef.model.tasks import MAX_LOGIT_SCALE, ActivityTask, LabelTask, Task
from clef.model.texts import activity_texts, label_templates, label_texts
from clef.params.schema import LabelParams
from tests.model.tiny import IMAGES, encoders
from tests.toy import toy_params


def label_task(labels: LabelParams | None = None, rates: torch.Tensor | None = None, **finetune) -> LabelTask:
    params = toy_params(finetune=finetune)
    labels = labels or params.labels
    texts, templates = label_texts(params.texts, labels), label_templates(params.texts)
    return LabelTask(encoders(), texts, labels, templates, params.finetune, rates, seed=0)


def activity_task(**pretrain) -> ActivityTask:
    params = toy_params(pretrain=pretrain)
    texts = activity_texts(params.texts, open_dataset(params).activities)
    return ActivityTask(encoders(), [texts[name] for name in sorted(texts)], params.pretrain)


def test_the_losses_of_stage_1_follow_its_settings():
    task = activity_task(image_image=0.7, image_text=0.4, temperature=0.3, logit_scale=9).eval()
    activities, subjects = torch.tensor([0, 0, 1, 1, 2, 5]), torch.tensor([0, 1, 0, 1, 0, 0])
    targets = torch.stack([activities, subjects], dim=1)
    views = [IMAGES, IMAGES.flip(3)]
    with torch.no_grad():
        features = torch.cat([task.encoders.images(view) for view in views])
        texts = task.encoders.texts(task.tokens)
        both = torch.cat([activities, activities])
        found = task.losses(views, targets, step=0)
    expected = {
        "image_image": 0.7 * losses.supervised_contrastive(features, torch.cat([subjects, subjects]), 0.3),
        "image_text": 0.4 * losses.image_text(features, texts, both, 9.0),
    }
    assert len(task.tokens) == 6
    torch.testing.assert_close(found, expected)
    for loss in expected:  # each can be switched off
        assert activity_task(**{loss: 0}).losses(views, targets, step=0).keys() == expected.keys() - {loss}


RATES = torch.tensor([0.5, 0.2, 0.1])
WEIGHT = losses.inverse_rate_weight(RATES)
OCCURRENCES = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (6, 3)).astype(np.float32))
OCCURRENCES[0, 1] = torch.nan
CLASSES = torch.tensor([0, 1, 2, -1, 2, 2])
ALL_LOSSES = {"image_names": 0.7, "names_descriptions": 0.3, "image_descriptions": 0.2, "logit_scale": 11}
THREE_EXPRESSIONS = LabelParams(kind="expressions", expressions=["anger", "fear", "neutral"])


def sigmoid_loss(images, texts, absent):
    return losses.occurrence(11 * images @ texts.T + torch.tensor([0.4, -0.8, 1.2]), OCCURRENCES, WEIGHT)


def pair_loss(images, texts, absent):
    return losses.occurrence(11 * (images @ texts.T - images @ absent.T), OCCURRENCES, WEIGHT)


def class_loss(images, texts, absent):
    return losses.expression(11 * images @ texts.T, CLASSES)


@pytest.mark.parametrize(
    ("labels", "matching", "label_loss"),
    [(None, "sigmoid", sigmoid_loss), (None, "pair", pair_loss), (THREE_EXPRESSIONS, "sigmoid", class_loss)],
)
@torch.no_grad()
def test_the_losses_and_probabilities_of_stage_2_follow_its_settings(labels, matching, label_loss):
    rates = None if labels else RATES
    task = label_task(labels, rates, matching=matching, **ALL_LOSSES).eval()
    task.descriptions = task.descriptions[:1]  # so that every step draws the same template
    task.bias.copy_(torch.tensor([0.4, -0.8, 1.2]))
    images = task.encoders.images(IMAGES)
    names, absent, descriptions = map(task.encoders.texts, (task.names, task.absent, task.descriptions[0]))
    expected = {
        "image_names": 0.7 * label_loss(images, names, absent),
        "names_descriptions": 0.3 * losses.name_description(names, descriptions, 11.0),
        "image_descriptions": 0.2 * label_loss(images, descriptions, absent),
    }
    torch.testing.assert_close(task.losses([IMAGES], CLASSES if labels else OCCURRENCES, step=0), expected)
    probabilities = {
        sigmoid_loss: (11 * images @ names.T + task.bias).sigmoid(),
        pair_loss: (11 * images @ (names - absent).T).sigmoid(),
        class_loss: (11 * images @ names.T).softmax(dim=1),
    }[label_loss]
    torch.testing.assert_close(task.probabilities(task.features(IMAGES), task.texts_for_prediction()), probabilities)


@pytest.mark.parametrize(
    ("loss", "image_tower"), [("image_names", True), ("names_descriptions", False), ("image_descriptions", True)]
)
def test_every_loss_of_stage_2_trains_the_text_encoder(loss, image_tower):
    task = label_task(**ALL_LOSSES)
    task.losses([IMAGES], OCCURRENCES, step=0)[loss].backward()
    clip = task.encoders.clip
    text = (clip.token_embedding.weight, clip.transformer.resblocks[0].mlp.c_fc.weight, clip.text_projection)
    for parameter in (*text, task.log_scale):
        assert parameter.grad.abs().sum() > 0
    gradient = clip.visual.trunk.conv_stem.weight.grad
    assert (gradient is not None and bool(gradient.abs().sum() > 0)) == image_tower


@torch.no_grad()
def test_standardised_features_are_those_of_batch_norm_over_the_root_of_their_dimension():
    task = label_task(image_norm="standardised", logit_scale=11, label_weight="none", names_descriptions=0)
    task.bias.copy_(torch.tensor([0.4, -0.8, 1.2]))
    task.encoders.eval()
    features, names = task.encoders.image_features(IMAGES), task.encoders.texts(task.names)
    standardised = (features - features.mean(dim=0)) / (features.var(dim=0, correction=0) + 1e-5).sqrt()
    logits = 11 / np.sqrt(task.encoders.dim) * standardised @ names.T + task.bias
    torch.testing.assert_close(
        task.losses([IMAGES], OCCURRENCES, 0)["image_names"], losses.occurrence(logits, OCCURRENCES)
    )
    assert task.standardise.num_batches_tracked == 1
    cosines = task.eval().cosines(features, names)
    expected = torch.cosine_similarity(task.standardise(features)[:, None], names[None], dim=2)
    torch.testing.assert_close(cosines, expected)


def test_weights_of_the_losses_come_from_the_rates():
    task = label_task(rates=RATES, label_weight="inverse", positive_weight="inverse", bias="rates")
    torch.testing.assert_close(task.weight, WEIGHT)
    torch.testing.assert_close(task.positive_weight, torch.tensor([1.0, 4.0, 9.0]))
    torch.testing.assert_close(task.bias.detach().sigmoid(), RATES)
    logits = torch.zeros(6, 3)
    assert task._label_loss(logits, OCCURRENCES) == losses.occurrence(
        logits, OCCURRENCES, WEIGHT, torch.tensor([1.0, 4.0, 9.0])
    )
    plain = label_task(rates=RATES, label_weight="none")
    assert plain.weight is plain.positive_weight is None
    assert not plain.bias.any()
    bias = label_task(rates=torch.tensor([0.0, torch.nan, 0.5]), label_weight="none", bias="rates").bias.detach()
    torch.testing.assert_close(bias, torch.tensor([1 / 999, 1.0, 1.0]).log())


def trained_parts(task: Task, views: list[torch.Tensor], targets: torch.Tensor) -> set[str]:
    """Parts of a task that the losses have a gradient for."""
    sum(task.losses(views, targets, step=0).values()).backward()
    names = {name for name, parameter in task.named_parameters() if parameter.grad is not None and parameter.grad.any()}
    parts = {
        "image": "encoders.clip.visual.",
        "vectors": "vectors",
        "head": "head.",
        "bias": "bias",
        "scale": "log_scale",
    }
    found = {part for part, prefix in parts.items() if any(name.startswith(prefix) for name in names)}
    texts = any(name.startswith("encoders.clip.") and ".visual." not in name for name in names)
    return found | ({"text"} if texts else set())


@pytest.mark.parametrize(
    ("pretrain", "expected"),
    [
        ({}, {"image", "text", "scale"}),
        ({"image_text": 0}, {"image"}),
        ({"image_image": 0}, {"image", "text", "scale"}),
    ],
)
def test_each_loss_of_stage_1_trains_what_it_should_and_nothing_else(pretrain, expected):
    activities = torch.tensor([0, 0, 1, 1, 2, 5])
    targets = torch.stack([activities, activities], dim=1)
    assert trained_parts(activity_task(**pretrain), [IMAGES, IMAGES.flip(3)], targets) == expected


@pytest.mark.parametrize(
    ("finetune", "expected"),
    [
        ({}, {"image", "text", "bias", "scale"}),
        ({"image_norm": "standardised"}, {"image", "text", "bias", "scale"}),
        ({"freeze_text": True}, {"image", "bias", "scale"}),
        ({"freeze_image": True}, {"text", "bias", "scale"}),
        ({"matching": "pair"}, {"image", "text", "scale"}),
        ({"names_descriptions": 0}, {"image", "text", "bias", "scale"}),
        ({"image_names": 0, "names_descriptions": 0, "image_descriptions": 1}, {"image", "text", "bias", "scale"}),
        ({"head": "vectors"}, {"image", "vectors", "bias", "scale"}),
        ({"head": "linear"}, {"image", "head"}),
        ({"head": "linear", "image_norm": "none"}, {"image", "head"}),
    ],
)
def test_each_switch_of_stage_2_trains_what_it_should_and_nothing_else(finetune, expected):
    assert trained_parts(label_task(**finetune), [IMAGES], OCCURRENCES) == expected


@pytest.mark.parametrize(
    ("finetune", "expected"), [({}, {"image", "text", "scale"}), ({"head": "linear"}, {"image", "head"})]
)
def test_expressions_train_no_bias_beside_their_texts(finetune, expected):
    assert trained_parts(label_task(THREE_EXPRESSIONS, **finetune), [IMAGES], CLASSES) == expected


@torch.no_grad()
def test_free_vectors_take_the_place_of_texts():
    task = label_task(head="vectors", logit_scale=11).eval()
    vectors = torch.nn.functional.normalize(task.vectors, dim=1)
    expected = (11 * task.encoders.images(IMAGES) @ vectors.T).sigmoid()
    torch.testing.assert_close(task.probabilities(task.features(IMAGES), task.texts_for_prediction()), expected)
    assert task.unmatched_texts() is None


@torch.no_grad()
def test_a_linear_head_without_batch_norm_reads_the_features_as_they_are():
    task = label_task(head="linear", image_norm="none").eval()
    features, linear = task.encoders.image_features(IMAGES), task.head[1]
    expected = (features @ linear.weight.T + linear.bias).sigmoid()
    torch.testing.assert_close(task.probabilities(task.features(IMAGES), None), expected)


@pytest.mark.parametrize("image_norm", ["unit", "standardised"])
@torch.no_grad()
def test_other_labels_are_predicted_from_their_texts_without_bias(image_norm):
    task = label_task(image_norm=image_norm).eval()
    task.log_scale.fill_(2.0)
    task.bias.fill_(3.0)
    mean, variance = torch.linspace(-1, 1, task.encoders.dim), torch.linspace(0.5, 2, task.encoders.dim)
    if image_norm == "standardised":  # with statistics, as after training
        task.standardise.running_mean.copy_(mean)
        task.standardise.running_var.copy_(variance)
    found = {}
    for labels in (LabelParams(action_units=[6, 25]), THREE_EXPRESSIONS):
        texts = label_texts(toy_params().texts, labels)
        other = task.for_labels(texts, labels).eval()
        found[labels.kind] = other.probabilities(other.features(IMAGES), other.texts_for_prediction())
        sentences = [task.templates.name.format(text.name) for text in texts]
        features, encoded = other.features(IMAGES), task.encoders.texts(task.encoders.tokenize(sentences))
        if image_norm == "standardised":
            features = (features - mean) / (variance + 1e-5).sqrt() / np.sqrt(task.encoders.dim)
        logits = np.exp(2.0) * features @ encoded.T
        expected = logits.sigmoid() if labels.kind == "action_units" else logits.softmax(dim=1)
        torch.testing.assert_close(found[labels.kind], expected)
    with pytest.raises(ClefError, match="linear knows no texts"):
        label_task(head="linear").for_labels([], THREE_EXPRESSIONS)


@torch.no_grad()
def test_descriptions_are_averaged_over_the_templates():
    task = label_task(image_names=0, image_descriptions=1, names_descriptions=0).eval()
    each = torch.stack([task.encoders.texts(tokens) for tokens in task.descriptions])  # (template, label, dim)
    assert len(each) > 1
    expected = torch.nn.functional.normalize(each.sum(dim=0), dim=1)
    torch.testing.assert_close(task.texts_for_prediction(), expected)


@pytest.mark.parametrize("labels", [None, THREE_EXPRESSIONS])
@pytest.mark.parametrize("finetune", [{"head": "text"}, {"matching": "pair"}, {"head": "linear"}])
@torch.no_grad()
def test_logits_are_float32_with_encoders_in_bfloat16(labels, finetune, monkeypatch):
    task = label_task(labels, **finetune, names_descriptions=0).eval()
    targets = CLASSES if labels else OCCURRENCES

    def answers() -> tuple[torch.Tensor, torch.Tensor]:
        (loss,) = task.losses([IMAGES], targets, step=0).values()
        return task.probabilities(task.features(IMAGES), task.texts_for_prediction()), loss

    with torch.autocast("cpu", dtype=torch.bfloat16):
        features, images = task.encoders.image_features(IMAGES), task.encoders.images(IMAGES)
        texts = task.texts_for_prediction()
        probabilities, loss = answers()
    assert features.dtype == torch.bfloat16
    for tower, output in {"image_features": features, "images": images, "texts": texts}.items():
        monkeypatch.setattr(task.encoders, tower, lambda _, output=output: output)
    expected, expected_loss = answers()
    assert torch.equal(probabilities, expected)
    assert torch.equal(loss, expected_loss)


def test_each_step_draws_description_templates():
    task = label_task(image_names=0, image_descriptions=1, names_descriptions=0).eval()
    targets = torch.ones(6, 3)
    with torch.no_grad():
        found = [task.losses([IMAGES], targets, step)["image_descriptions"].item() for step in (0, 1, 2, 0)]
    assert found[0] == found[3]
    assert len(set(found[:3])) > 1


@pytest.mark.parametrize("task", [label_task, activity_task])
def test_the_logit_scale_stays_in_the_range_of_clip(task):
    task = task()
    for value, expected in ((50.0, MAX_LOGIT_SCALE), (-1.0, 1.0)):
        task.log_scale.data.fill_(value)
        task.clamp()
        assert task.log_scale.exp().item() == pytest.approx(expected)


def test_a_frozen_image_encoder_keeps_its_statistics():
    task = label_task(head="linear", freeze_image=True).train()
    assert not task.encoders.clip.visual.training
    assert task.head.training
    before = {k: v.clone() for k, v in task.encoders.clip.visual.state_dict().items()}
    task.losses([IMAGES], torch.ones(6, 3), 0)
    assert all(torch.equal(before[k], v) for k, v in task.encoders.clip.visual.state_dict().items())
    task.clamp()  # a linear head has no logit scale
