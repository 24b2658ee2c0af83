import numpy as np
import pandas as pd
import pytest
import torch

from clef.batches.augmentation import centre, normalise
from clef.batches.crops import Crops
from clef.faces.shard import CROPPED
from clef.manifest import select
from clef.manifest.select import TEST_KEYS
from clef.manifest.table import manifest_fingerprint
from clef.model.encoders import Encoders
from clef.model.prediction import Predictions, predict_frames, prediction_table
from clef.model.tasks import LabelTask
from clef.model.texts import label_templates, label_texts
from tests.toy import make_toy, toy_fold, toy_params


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A task of stage 2 with some batch statistics, and the test crops."""
    params = toy_params()
    inputs = make_toy(tmp_path_factory.mktemp("toy"), params)
    frames = select.test_frames(inputs.manifest, toy_fold(params), 1)
    frames = frames[frames["status"].isin(CROPPED)].reset_index(drop=True)
    torch.manual_seed(0)
    texts, templates = label_texts(params.texts, params.labels), label_templates(params.texts)
    task = LabelTask(Encoders(params.model), texts, params.labels, templates, params.finetune, None, 0)
    crops = Crops(inputs.shards, frames, manifest_fingerprint(inputs.manifest))
    with torch.no_grad():
        task.train().encoders.image_features(crops.decode(np.arange(8)).float()[:, :, :32, :32] / 255)
    return task, crops


def test_probabilities_do_not_depend_on_the_batch(trained):
    task, crops = trained
    device = torch.device("cpu")
    few = predict_frames(task.train(), crops, 5, device).probabilities
    many, similarities = predict_frames(task.train(), crops, 64, device)
    assert few.shape == (len(crops), 3) == (42, 3)
    np.testing.assert_allclose(few, many, atol=1e-5)
    assert np.ptp(few, axis=0).min() > 0
    assert (predict_frames(task, crops, 64, device, workers=2).probabilities == many).all()
    assert similarities is not None
    assert similarities.shape == many.shape
    assert predict_frames(task, crops, 64, device, describe=False).similarities is None


@torch.no_grad()
def test_similarities_are_cosines_with_descriptions_that_no_image_was_matched_with(trained):
    task, crops = trained
    task.eval()
    images = normalise(centre(crops.decode(np.arange(len(crops))), 32), task.encoders.mean, task.encoders.std)
    clauses = [text.description for text in label_texts(toy_params().texts, toy_params().labels)]
    sentences = [[template.format(clause) for clause in clauses] for template in task.templates.descriptions]
    described = sum(task.encoders.texts(task.encoders.tokenize(sentence)) for sentence in sentences)
    cosines = torch.cosine_similarity(task.encoders.images(images)[:, None], described[None], dim=2)
    found = predict_frames(task, crops, 64, torch.device("cpu")).similarities
    np.testing.assert_allclose(found, cosines, atol=1e-5)


@pytest.mark.parametrize("finetune", [{"head": "linear"}, {"image_descriptions": 0.5}])
def test_there_are_no_similarities_without_unmatched_texts(finetune):
    params = toy_params(finetune=finetune)
    texts, templates = label_texts(params.texts, params.labels), label_templates(params.texts)
    task = LabelTask(Encoders(params.model), texts, params.labels, templates, params.finetune, None, 0)
    assert task.unmatched_texts() is None


def test_a_table_has_keys_probabilities_and_similarities_in_the_order_of_the_frames():
    keys = {name: ["a", "b"] for name in ("dataset", "subject", "activity", "sequence", "status", "split")}
    frames = pd.DataFrame(keys | {"frame": [1, 3]}, index=[7, 9])
    values = np.array([[0.1, 0.2], [0.3, 0.4]])
    table = prediction_table(frames, ["AU01", "AU02"], Predictions(values, -values))
    assert table.columns.tolist() == [*TEST_KEYS, "p_AU01", "p_AU02", "d_AU01", "d_AU02"]
    assert table.index.tolist() == [0, 1]
    assert table["p_AU02"].tolist() == [0.2, 0.4]
    assert table["d_AU02"].tolist() == [-0.2, -0.4]
    assert "d_AU01" not in prediction_table(frames, ["AU01", "AU02"], Predictions(values, None))
