import pytest
import yaml

from clef.datasets import open_dataset
from clef.params import LabelParams, ParamsError, TextParams
from clef.texts import PACKAGED, activity_texts, fill, label_texts, load_texts
from tests.toy import toy_params


def test_every_label_that_a_data_set_knows_has_texts():
    texts = load_texts(TextParams())["labels"]
    for name, entry in texts.items():
        assert set(entry) == {"name", "description"}, name
        assert entry["description"][0].islower()  # a clause that goes into a template
        assert not entry["description"].endswith(".")
    assert len({entry["name"] for entry in texts.values()}) == len(texts)
    assert len({entry["description"] for entry in texts.values()}) == len(texts)


def test_every_activity_of_the_demo_is_described_differently():
    texts = activity_texts(TextParams(), open_dataset(toy_params()).activities)
    assert sorted(texts) == ["T1", "T2", "T3", "T4", "T5", "T6"]
    assert len(set(texts.values())) == 6


def test_texts_come_in_the_order_of_the_labels():
    texts = label_texts(TextParams(), LabelParams(action_units=[12, 1]))
    assert [text.name for text in texts] == ["lip corner puller", "inner brow raiser"]


def test_a_label_without_texts_is_named():
    with pytest.raises(ParamsError, match="no name and description of AU99"):
        label_texts(TextParams(), LabelParams(action_units=[1, 99]))


def test_the_user_s_own_file_is_read(tmp_path):
    own = yaml.safe_load(PACKAGED.read_text())
    own["labels"]["AU01"]["name"] = "brow thing"
    path = tmp_path / "texts.yaml"
    path.write_text(yaml.safe_dump(own))
    assert label_texts(TextParams(file=str(path)), LabelParams(action_units=[1, 2]))[0].name == "brow thing"
    with pytest.raises(ParamsError, match="no such file"):
        load_texts(TextParams(file=str(tmp_path / "none.yaml")))


def test_templates_are_filled():
    assert fill("a photo of {}", ["x", "y"]) == ["a photo of x", "a photo of y"]
