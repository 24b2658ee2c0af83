import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clef.datasets import open_dataset
from clef.errors import ClefError
from clef.model import MAX_LOGIT_SCALE, ActivityTask, Encoders, LabelTask
from clef.params import LabelParams, ModelParams, TextParams
from clef.texts import activity_texts, label_texts
from tests.toy import toy_params

TINY = ModelParams(name="clef-tiny", image_size=32)


def encoders(settings: ModelParams = TINY) -> Encoders:
    torch.manual_seed(0)
    return Encoders(settings)


def label_task(labels: LabelParams | None = None, **finetune) -> LabelTask:
    params = toy_params(finetune=finetune)
    labels = labels or params.labels
    texts = label_texts(params.texts, labels)
    return LabelTask(encoders(), texts, labels, TextParams(), params.finetune, None, seed=0)


IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 3, 32, 32)).astype(np.float32))


def test_features_are_unit_vectors_in_one_space():
    model = encoders().eval()
    images, texts = model.images(IMAGES), model.texts(model.tokenize(["a face", "a hand"]))
    assert images.shape == (6, model.dim)
    assert texts.shape == (2, model.dim)
    torch.testing.assert_close(images.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(2))


def test_a_text_longer_than_the_context_is_refused_and_not_cut():
    with pytest.raises(ClefError, match="tokens; clef-tiny reads 40: shorten it"):
        encoders().tokenize(["a face " * 40])


def test_weights_come_from_a_path(tmp_path):
    first = encoders()
    weights = {name: value.contiguous() for name, value in first.clip.state_dict().items()}
    save_file(weights, tmp_path / "weights.safetensors")
    torch.manual_seed(9)
    second = Encoders(TINY.model_copy(update={"pretrained": str(tmp_path / "weights.safetensors")}))
    for name, value in first.clip.state_dict().items():
        assert torch.equal(value, second.clip.state_dict()[name]), name


def test_an_unknown_model_or_tag_is_named():
    with pytest.raises(ClefError, match="no model ViT-Z"):
        Encoders(TINY.model_copy(update={"name": "ViT-Z"}))
    with pytest.raises(ClefError, match=r"openay: no such file, and no tag of ViT-B-16-quickgelu .*openai"):
        Encoders(ModelParams(pretrained="openay"))


@pytest.mark.parametrize("name", ["text.pt", "empty.pt", "cut.pt", "list.pt", "other.safetensors", "cut.safetensors"])
def test_a_file_that_does_not_fit_is_one_line(name, tmp_path):
    path = tmp_path / name
    weights = {"visual.first": torch.zeros(300)}
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save([weights] if name == "list.pt" else weights, path)
    if name.startswith("cut"):
        path.write_bytes(path.read_bytes()[:500])
    if name in ("text.pt", "empty.pt"):
        path.write_text("hello" if name == "text.pt" else "")
    message = rf"model\.pretrained: .*{name} does not fit clef-tiny at 32 pixels \(\w+:.*; expected whole weights"
    with pytest.raises(ClefError, match=message) as caught:
        Encoders(TINY.model_copy(update={"pretrained": str(path)}))
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_file_of_weights(tmp_path):
    with pytest.raises(ClefError, match="no such file, and no tag of clef-tiny"):
        Encoders(TINY.model_copy(update={"pretrained": str(tmp_path)}))


def test_gradient_checkpointing_changes_memory_and_not_gradients():
    settings = ModelParams(name="ViT-S-32-alt", image_size=64)
    gradients = []
    for checkpointing in (False, True):
        model = encoders(settings.model_copy(update={"gradient_checkpointing": checkpointing})).train()
        images = torch.nn.functional.interpolate(IMAGES[:2], 64)
        model.images(images)[:, 0].sum().backward()
        gradients.append(model.clip.visual.conv1.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_stage_1_gives_its_two_losses_and_gradients_to_both_towers():
    params = toy_params()
    texts = activity_texts(params.texts, open_dataset(params).activities)
    task = ActivityTask(encoders(), [texts[name] for name in sorted(texts)], params.pretrain)
    losses = task.losses([IMAGES, IMAGES.flip(3)], torch.tensor([0, 0, 1, 1, 2, 2]), step=0)
    assert set(losses) == {"image_image", "image_text"}
    sum(losses.values()).backward()
    for part in (task.encoders.clip.visual.trunk.conv_stem, task.encoders.clip.token_embedding):
        assert part.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("matching", ["sigmoid", "pair"])
def test_probabilities_of_action_units_lie_between_0_and_1_each_by_itself(matching):
    task = label_task(matching=matching).eval()
    probabilities = task.probabilities(IMAGES, task.texts_for_prediction())
    assert probabilities.shape == (6, 3)
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_probabilities_of_expressions_sum_to_1():
    task = label_task(LabelParams(kind="expressions", expressions=["anger", "fear", "neutral"])).eval()
    probabilities = task.probabilities(IMAGES, task.texts_for_prediction())
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(6))


def test_description_templates_are_drawn_anew_each_step():
    task = label_task(image_names=0, image_descriptions=1, names_descriptions=0).eval()
    targets = torch.ones(6, 3)
    with torch.no_grad():
        losses = [task.losses([IMAGES], targets, step)["image_descriptions"].item() for step in (0, 1, 2, 0)]
    assert losses[0] == losses[3]
    assert len(set(losses[:3])) > 1


def test_the_logit_scale_stays_in_clip_s_range():
    task = label_task()
    task.log_scale.data.fill_(50.0)
    task.clamp()
    assert task.log_scale.exp().item() == pytest.approx(MAX_LOGIT_SCALE)


def test_a_frozen_image_tower_keeps_its_statistics():
    task = label_task(head="linear", freeze_image=True).train()
    assert not task.encoders.clip.visual.training
    assert task.head.training
    before = {k: v.clone() for k, v in task.encoders.clip.visual.state_dict().items()}
    task.losses([IMAGES], torch.ones(6, 3), 0)
    assert all(torch.equal(before[k], v) for k, v in task.encoders.clip.visual.state_dict().items())
