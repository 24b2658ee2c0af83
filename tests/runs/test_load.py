"""Reading one params file and what it extends, and finding files."""

import pytest

from clef.params.schema import ParamsError
from clef.runs.load import REQUESTED, load_all, load_params, params_file, run_over
from tests.runs.conftest import BASE, DISFA, ROOT, write


def error_of(path) -> str:
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_child_overrides_single_keys_and_can_turn_a_section_off(tmp_path):
    write(tmp_path, "base", **BASE, finetune={"batch": 32, "optimiser": {"lr_image": 0.5}})
    child = write(tmp_path, "child", extends="base", pretrain=None, finetune={"optimiser": {"lr_text": 0.25}})
    params = load_params(child)
    optimiser = params.finetune.optimiser
    assert (params.finetune.batch, optimiser.lr_image, optimiser.lr_text) == (32, 0.5, 0.25)
    assert params.pretrain is None
    assert params.dataset.name == "demo", "a data set is named after its adapter by default"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"finetune": {"epoch": 3}}, "finetune.epoch: unknown key; did you mean epochs?"),
        ({"finetune": {"epochs": "many"}}, "finetune.epochs: input should be a valid integer"),
        ({"crop": {"detector": "blazeface"}}, "crop.detector: input should be 'mtcnn', 'lbp'"),
        ({"labels": {"action_units": [1, 1]}}, "labels: expected two or more distinct"),
        ({"pretrain": {"image_image": 0, "image_text": 0}}, "pretrain: image_image and image_text are both 0"),
        ({"pretrain": {"also": ["a"], "from": "a"}}, "pretrain: from and also exclude each other"),
        ({"pretrain": {"epochs": float("inf")}}, "pretrain.epochs: input should be a finite number"),
        ({"folds": {"protocol": "official", "number": 3}}, "folds: number must be 1"),
        ({"finetune": 3}, "finetune: expected a section of keys and values, found 3"),
        ({"finetune": {"epochs": True}}, "finetune: epochs is true; expected a number or text (YAML reads"),
        ({"seeds": [0, 1, 0]}, "seeds: expected no duplicates, found [0, 1, 0]"),
        ({"finetune": {"augment": {"scale": [1.0, 0.5]}}}, "finetune.augment.scale: expected the smaller number"),
        ({"dataset": {"adapter": "demo", "name": "../x"}}, "dataset.name: expected letters, digits and . _ + -"),
        ({"dataset": {"adapter": "bp5d"}}, "dataset.adapter: no adapter bp5d; expected one of "),
        ({"dataset": {"adapter": "demo", "options": {"a": 1}}}, "dataset.options.a: unknown key; expected no"),
        ({"dataset": {"adapter": "disfa", "options": {"camera": True}}}, "dataset.options: camera is true; expected"),
        ({"dataset": {"adapter": "disfa", "options": "left"}}, "dataset.options: input should be a valid dictionary"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_and_expectation(tmp_path, values, message):
    path = write(tmp_path, "run", **BASE | values)
    assert error_of(path).startswith(f"{path}: {message}")


def test_a_mistake_is_reported_for_the_file_that_makes_it(tmp_path):
    base = write(tmp_path, "base", **BASE, finetune={"epoch": 3})
    assert error_of(write(tmp_path, "a", extends="base", finetune={"batch": 3})).startswith(f"{base}: finetune.epoch")
    own = write(tmp_path, "b", extends="base", finetune={"batch": "x"})
    assert error_of(own).startswith(f"{own}: finetune.batch")
    option = write(tmp_path, "base", dataset={"adapter": "disfa", "options": {"camera": "top"}})
    assert error_of(write(tmp_path, "a", extends="base", seeds=[0])).startswith(f"{option}: dataset.options.camera")


def test_a_cycle_or_a_missing_parent_is_named_with_the_nearest_name(tmp_path):
    write(tmp_path, "a", extends="b")
    cycle = write(tmp_path, "b", extends="a")
    assert "cycle b -> a -> b" in error_of(cycle)
    cycle.unlink()
    path = write(tmp_path, "a", extends="bp4")
    assert f"{path}: extends: no file {tmp_path}/bp4.yaml; expected a file beside it" == error_of(path)
    write(tmp_path, "bp4d", **BASE)
    assert error_of(path).endswith("bp4.yaml; did you mean bp4d?")


@pytest.mark.parametrize("parent", ["../demo", ".demo", "", "my run", 3, ["demo"]])
def test_a_parent_is_a_name_and_not_a_path(tmp_path, parent):
    path = write(tmp_path, "a", extends=parent)
    expected = f"{path}: extends: expected the name of a params file beside it, without .yaml, found {parent!r}"
    assert error_of(path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device: cpu\n? {a: 1}\n: 2\n", "not valid YAML: line 2: found unhashable key"),
        ("crop: {<<: {? [a] : 1}}\n", "not valid YAML: line 1: found unhashable key"),
        ("seeds: [2020-13-45]\n", "not valid YAML: line 1: invalid timestamp '2020-13-45'; put text in quotes"),
        ("\nseeds: !!int abc\n", "not valid YAML: line 2: invalid int 'abc'; put text in quotes"),
        (f"seeds: {'9' * 5000}\n", f"not valid YAML: line 1: invalid int '{'9' * 40}'"),
        (f"seeds: {'[' * 3000}{']' * 3000}\n", "not valid YAML: nested too deeply; expected sections of keys and"),
        ("finetune: {epochs: 3}\nfinetune: {batch: 8}\n", "not valid YAML: line 2: duplicate key finetune"),
        ("a: [1\n", "not valid YAML: line 2: expected ',' or ']'"),
        ("\udcff", "not valid YAML: 'utf-8' codec"),
        ("- a\n- b\n", "expected sections such as `dataset:`, found a list"),
        ("", "expected sections such as `dataset:`, found an empty file"),
    ],
)
def test_a_file_without_valid_yaml_or_sections_is_one_line(tmp_path, text, message):
    path = tmp_path / "a.yaml"
    path.write_text(text, errors="surrogateescape")
    assert error_of(path).startswith(f"{path}: {message}")


def test_a_file_that_cannot_be_read_or_has_an_unsafe_name_is_one_line(tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    assert "folder.yaml: cannot be read (Is a directory)" in error_of(tmp_path / "folder.yaml")
    assert "invalid run name 'my run'; expected letters, digits and" in error_of(write(tmp_path, "my run", **BASE))
    assert load_params(write(tmp_path, "größe+1.5", **BASE)).device == "cpu"


def test_a_default_option_equals_an_omitted_one_and_no_options_are_left_out(tmp_path):
    omitted = load_params(write(tmp_path, "a", **DISFA))
    options = {"dataset": {"adapter": "disfa", "options": {"camera": "left"}}}
    given = load_params(write(tmp_path, "b", **DISFA | options))
    assert omitted.tracked("dataset") == given.tracked("dataset")
    assert omitted.dataset.options["camera"] == "left"
    assert load_params(write(tmp_path, "c", **BASE)).tracked("dataset") == {"adapter": "demo", "name": "demo"}


def test_all_valid_files_are_read_and_the_errors_of_others_returned(tmp_path):
    runs, errors = load_all(ROOT / "params")
    assert not errors
    assert runs["demo"].finetune.augment.rotation == 10, "a merged key may be overridden"
    write(tmp_path, "demo", **BASE)
    write(tmp_path, "broken", finetun={})
    runs, errors = load_all(tmp_path)
    assert (list(runs), list(errors)) == (["demo"], ["broken"])
    with pytest.raises(ParamsError, match="no such folder; run this in the checkout, or give --params"):
        load_all(tmp_path / "missing")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dmeo", "no run dmeo; did you mean demo?"),
        ("demo.yaml", "no run demo.yaml; did you mean demo?"),
        ("../params/demo", "invalid run name '../params/demo'; expected letters, digits and . _ + - only"),
        ("a; touch b", "invalid run name 'a; touch b'; expected letters, digits and . _ + - only"),
    ],
)
def test_an_unknown_run_is_refused_with_the_nearest_name_and_an_invalid_name_as_such(tmp_path, name, message):
    write(tmp_path, "demo", **BASE)
    write(tmp_path, "a; touch b", **BASE)
    with pytest.raises(ParamsError) as caught:
        params_file(name, tmp_path)
    assert str(caught.value) == f"{tmp_path}: {message}"
    assert params_file("demo", tmp_path) == tmp_path / "demo.yaml"


def test_a_run_over_a_data_set_is_a_requested_one_else_its_namesake_else_any(tmp_path, monkeypatch):
    for name in ("a", "demo", "z"):
        write(tmp_path, name, **BASE, crop={"size": 100 if name == "z" else 64})
    write(tmp_path, "broken", **BASE, finetun={})
    monkeypatch.delenv(REQUESTED, raising=False)
    assert run_over(tmp_path, "demo") == "demo"
    digest = load_params(tmp_path / "z.yaml").crop_digest
    assert run_over(tmp_path, "demo", digest) == "z"
    assert run_over(tmp_path, "z") == "z", "a run's own name works too"
    monkeypatch.setenv(REQUESTED, "other z")
    assert run_over(tmp_path, "demo") == "z"
    with pytest.raises(ParamsError, match=r"--crop: no run over demo has crops 00000000; expected one of \w+, \w+"):
        run_over(tmp_path, "demo", "00000000")
    with pytest.raises(ParamsError, match=r"broken\.yaml: finetun: unknown key"):
        run_over(tmp_path, "broken")
    (tmp_path / "broken.yaml").unlink()
    with pytest.raises(ParamsError, match=r"no run over a data set dem; did you mean demo\?"):
        run_over(tmp_path, "dem")
