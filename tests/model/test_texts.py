import re

import pytest
import yaml

from clef.model.texts import PACKAGED, Templates, label_templates, label_texts, load_texts
from clef.params.schema import LabelParams, ParamsError, TextParams


def test_packaged_labels_have_distinct_names_and_descriptions():
    texts = load_texts(TextParams())["labels"]
    for name, entry in texts.items():
        assert set(entry) == {"name", "description"}, name
        assert entry["description"][0].islower()  # a clause for a template
        assert not entry["description"].endswith(".")
    assert len({entry["name"] for entry in texts.values()}) == len(texts)
    assert len({entry["description"] for entry in texts.values()}) == len(texts)


def test_texts_have_the_order_of_the_labels_and_must_cover_them():
    texts = label_texts(TextParams(), LabelParams(action_units=[12, 1]))
    assert [text.name for text in texts] == ["lip corner puller", "inner brow raiser"]
    with pytest.raises(ParamsError, match="no name and description of AU99"):
        label_texts(TextParams(), LabelParams(action_units=[1, 99]))


def own_file(folder, **sections) -> TextParams:
    """The packaged texts file with some other sections."""
    path = folder / "texts.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(PACKAGED.read_text()) | sections))
    return TextParams(file=str(path))


def test_an_own_texts_file_is_read(tmp_path):
    labels = {name: {"name": name, "description": "x"} for name in ("AU01", "AU02")}
    texts = label_texts(own_file(tmp_path, labels=labels), LabelParams(action_units=[1, 2]))
    assert [text.name for text in texts] == ["AU01", "AU02"]
    with pytest.raises(ParamsError, match="no such file"):
        load_texts(TextParams(file=str(tmp_path / "none.yaml")))
    path = tmp_path / "twice.yaml"
    path.write_text("activities: {}\nlabels:\n  AU01: {name: one}\n  AU01: {name: another}\n")
    with pytest.raises(ParamsError, match=r"twice\.yaml: not valid YAML: line 4: duplicate key AU01"):
        load_texts(TextParams(file=str(path)))


def test_an_own_texts_file_may_lack_templates(tmp_path):
    package = label_templates(TextParams())
    assert label_templates(own_file(tmp_path, templates={})) == package
    assert label_templates(own_file(tmp_path, templates=None)) == package
    changed = label_templates(own_file(tmp_path, templates={"absent": "no {}", "descriptions": ["see: {}"]}))
    assert changed == Templates(package.name, "no {}", ["see: {}"])


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ({"name": "a face"}, "templates: 'a face': expected one {} in place of the text"),
        ({"absent": "{} and {}"}, "templates: '{} and {}': expected one {}"),
        ({"descriptions": ["{}", "{0}"]}, "templates: '{0}': expected one {}"),
        ({"descriptions": [None]}, "templates: None: expected one {}"),
        ({"descriptions": []}, "templates.descriptions: expected a list of sentences, found []"),
        ({"descriptions": "{}"}, "templates.descriptions: expected a list of sentences, found '{}'"),
        ({"names": "{}"}, "templates: expected name, absent and descriptions, found {'names': '{}'}"),
        (["{}"], "templates: expected name, absent and descriptions, found ['{}']"),
    ],
)
def test_a_wrong_template_is_an_error(tmp_path, templates, message):
    with pytest.raises(ParamsError, match=re.escape(message)):
        label_templates(own_file(tmp_path, templates=templates))
