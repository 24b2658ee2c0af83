from pathlib import Path

import pytest
import yaml

from clef.params.schema import ParamsError
from clef.runs.load import joining_runs, load_params, load_runs, stage1_source

BASE = {"dataset": {"adapter": "demo"}, "render": {"kind": "videos"}, "device": "cpu"}


def write(folder: Path, name: str, **values) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_extends_overrides_only_what_differs(tmp_path):
    write(tmp_path, "base", **BASE, finetune={"batch": 32, "optimiser": {"lr_image": 0.5}})
    child = load_params(write(tmp_path, "child", extends="base", finetune={"optimiser": {"lr_text": 0.25}}))
    assert child.finetune.batch == 32
    assert child.finetune.optimiser.lr_image == 0.5
    assert child.finetune.optimiser.lr_text == 0.25


def test_extends_can_switch_a_section_off(tmp_path):
    write(tmp_path, "base", **BASE, pretrain={"epochs": 3})
    assert load_params(write(tmp_path, "child", extends="base", pretrain=None)).pretrain is None


def test_data_set_is_named_after_its_adapter_unless_named(tmp_path):
    assert load_params(write(tmp_path, "a", **BASE)).dataset.name == "demo"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**BASE, "finetune": {"epoch": 3}}, "finetune.epoch: unknown key; did you mean epochs?"),
        ({**BASE, "finetune": {"optimiser": {"lr": 3}}}, "finetune.optimiser.lr: unknown key"),
        (
            {**BASE, "pretrain": {"temprature": 1}},
            "pretrain.temprature: unknown key; did you mean temperature?",
        ),
        ({**BASE, "finetune": {"epochs": "many"}}, "finetune.epochs: input should be a valid integer"),
        ({**BASE, "crop": {"detector": "mtcnn"}}, "crop.detector: input should be 'lbp', 'yunet'"),
        ({**BASE, "labels": {"action_units": [1, 1]}}, "labels: expected two or more distinct"),
        (
            {**BASE, "pretrain": {"image_image": 0, "image_text": 0}},
            "pretrain: image_image and image_text are both 0",
        ),
        ({**BASE, "folds": {"protocol": "official", "number": 3}}, "folds: number must be 1"),
        ({"device": "cpu"}, "dataset: missing"),
        ({**BASE, "finetune": 3}, "finetune: expected a section of keys and values, found 3"),
        (
            {**BASE, "finetune": {"epochs": True}},
            "finetune: epochs is true; expected a number or text (YAML reads",
        ),
        ({**BASE, "pretrain": {"epochs": float("inf")}}, "pretrain.epochs: input should be a finite number"),
        ({**BASE, "seeds": [0, 1, 0]}, "seeds: expected each once, found [0, 1, 0]"),
        ({**BASE, "seeds": [-1]}, "seeds.0: input should be greater than or equal to 0, found -1"),
        ({**BASE, "seeds": []}, "seeds: list should have at least 1 item"),
        (
            {**BASE, "finetune": {"augment": {"scale": [1.0, 0.5]}}},
            "finetune.augment.scale: expected the smaller number",
        ),
        (
            {**BASE, "dataset": {"adapter": "demo", "name": "my set"}},
            "dataset.name: expected letters, digits and . _ + -",
        ),
        (
            {**BASE, "dataset": {"adapter": "demo", "name": "../x"}},
            "dataset.name: expected letters, digits and . _ + -",
        ),
        ({**BASE, "labels": {"action_units": [1, "two"]}}, "labels.action_units.1: input should be a valid integer"),
        ({**BASE, "device": "gpu"}, "device: input should be 'cpu' or 'cuda', found 'gpu'"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_and_expectation(tmp_path, values, message):
    path = write(tmp_path, "run", **values)
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_is_blamed_on_the_file_that_makes_it(tmp_path):
    write(tmp_path, "base", **BASE, finetune={"epoch": 3})
    with pytest.raises(ParamsError, match=r"base\.yaml: finetune\.epoch"):
        load_params(write(tmp_path, "child", extends="base", finetune={"batch": 3}))
    with pytest.raises(ParamsError, match=r"other\.yaml: finetune\.batch"):
        load_params(write(tmp_path, "other", extends="base", finetune={"batch": "x"}))


def test_a_circle_of_extends_is_named(tmp_path):
    write(tmp_path, "a", extends="b")
    path = write(tmp_path, "b", extends="a")
    with pytest.raises(ParamsError, match="circle: b -> a -> b"):
        load_params(path)


def test_a_missing_parent_is_named_with_its_child(tmp_path):
    path = write(tmp_path, "a", extends="nowhere")
    with pytest.raises(ParamsError, match=r"a\.yaml: extends: no file .*nowhere\.yaml; expected a file beside it"):
        load_params(path)


def test_a_misspelt_parent_is_told_with_the_nearest_name(tmp_path):
    write(tmp_path, "bp4d", **BASE)
    path = write(tmp_path, "a", extends="bp4")
    with pytest.raises(ParamsError, match=r"a\.yaml: extends: no file .*bp4\.yaml; did you mean bp4d\?"):
        load_params(path)


@pytest.mark.parametrize("parent", ["../demo", "sub/demo", "/demo", "..", ".demo", "", "a\0b", "my run", 3, ["demo"]])
def test_a_parent_lies_beside_its_child(tmp_path, parent):
    write(tmp_path, "demo", **BASE)
    path = write(tmp_path, "a", extends=parent)
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    expected = f"{path}: extends: expected the name of a params file beside it, without .yaml, found {parent!r}"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("? [a, b]\n: 1\n", "line 1: a list stands where a key is expected, such as epochs"),
        ("device: cpu\n? {a: 1}\n: 2\n", "line 2: a section stands where a key is expected"),
        ("dataset: {adapter: demo, [name]: x}\n", "line 1: a list stands where a key is expected"),
        ("crop: {<<: {? [a] : 1}}\n", "line 1: found unhashable key"),
        ("seeds: [2020-13-45]\n", "line 1: '2020-13-45' is no timestamp; put text in quotes"),
        ("\nseeds: !!int abc\n", "line 2: 'abc' is no int; put text in quotes"),
        ("seeds: !!int ''\n", "line 1: '' is no int"),
        ("seeds: 0x_\n", "line 1: '0x_' is no int"),
        (f"seeds: {'9' * 5000}\n", f"line 1: '{'9' * 40}' is no int"),
        ("device: !!bool maybe\n", "line 1: 'maybe' is no bool"),
        ("device: !!timestamp x\n", "line 1: 'x' is no timestamp"),
        (f"seeds: {'[' * 3000}{']' * 3000}\n", "nested too deeply; expected sections of keys and values"),
    ],
)
def test_what_yaml_itself_cannot_make_is_one_line(tmp_path, text, message):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    assert str(caught.value).startswith(f"{path}: not valid YAML: {message}")
    assert "\n" not in str(caught.value)


def test_a_key_that_stands_twice_is_named_with_its_line(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("dataset: {adapter: demo}\nfinetune: {epochs: 3}\nfinetune: {batch: 8}\n")
    with pytest.raises(ParamsError, match=r"a\.yaml: not valid YAML: line 3: the key finetune stands twice"):
        load_params(path)


def test_a_merged_key_may_be_overridden(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "dataset: {adapter: demo}\ncrop: &c {size: 80, quality: 90}\nfinetune: {optimiser: &o {lr_text: 0.5}}\n"
        "pretrain: {optimiser: {<<: *o, lr_text: 0.25}}\n"
    )
    params = load_params(path)
    assert params.pretrain is not None
    assert params.pretrain.optimiser.lr_text == 0.25


def test_a_run_cannot_have_a_name_that_a_shell_would_part(tmp_path):
    with pytest.raises(ParamsError, match="a run cannot be named 'my run'; expected letters, digits and"):
        load_params(write(tmp_path, "my run", **BASE))
    assert load_params(write(tmp_path, "größe+1.5", **BASE)).device == "cpu"


def test_what_is_no_file_is_one_line(tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ParamsError, match=r"folder\.yaml: cannot be read \(Is a directory\)"):
        load_params(tmp_path / "folder.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(ParamsError, match=r"loop\.yaml: cannot be read \(Too many levels of symbolic links\)"):
        load_params(tmp_path / "loop.yaml")
    (tmp_path / "wide.yaml").write_text("device: cpu\n", encoding="utf-16")
    with pytest.raises(ParamsError, match=r"wide\.yaml: not valid YAML: 'utf-8' codec"):
        load_params(tmp_path / "wide.yaml")


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n", "", "extends: 3\n"])
def test_a_file_that_is_no_params_file(tmp_path, text):
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(ParamsError, match=r"odd\.yaml: "):
        load_params(tmp_path / "odd.yaml")


def test_runs_over_one_data_set_must_agree_on_how_it_is_made(tmp_path):
    write(tmp_path, "a", **BASE)
    write(tmp_path, "b", **{**BASE, "render": {"kind": "videos", "seed": 5}})
    with pytest.raises(ParamsError, match=r"b\.yaml: render differs from a\.yaml"):
        load_runs(tmp_path)


GIVEN = {"protocol": "given", "test_subjects": [["P01", "P02"], ["P03"]]}
OFFICIAL = {"protocol": "official", "number": 1}


def own(options: dict | None = None, folds: dict | None = None, name: str = "mine") -> dict:
    dataset = {"adapter": "folder", "name": name, "options": options or {}}
    return {"dataset": dataset, "folds": folds or GIVEN, "pretrain": None, "device": "cpu"}


@pytest.mark.parametrize(
    ("options", "folds", "message"),
    [
        (
            {},
            OFFICIAL,
            "the people of mine are nobody known, by those of a.yaml, which uses the same data set, P01, P02",
        ),
        ({"blocks": 2}, OFFICIAL, "the people of mine are nobody known, by those of a.yaml, which uses the same data"),
        (
            {"blocks": 2},
            GIVEN | {"test_subjects": [["P01"], ["P02", "P04"]]},
            "the people of mine are P01, P02, P04, by those of a.yaml, which uses the same data set, P01, P02, P03;",
        ),
        (
            {},
            GIVEN | {"test_subjects": [[f"P{number:02d}" for number in range(1, 9)], ["P09"]]},
            "the people of mine are P01, P02, P03, P04 and 5 more, by those of a.yaml, which",
        ),
    ],
)
def test_runs_over_one_data_set_must_agree_on_who_is_in_it(tmp_path, options, folds, message):
    write(tmp_path, "a", **own(options))
    write(tmp_path, "b", **own(options, folds))
    with pytest.raises(ParamsError) as caught:
        load_runs(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/b.yaml: folds: by them {message}")
    assert "give one of them another dataset.name (data/raw/NAME may be a link to data/raw/mine)" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{}, {"blocks": 2}], ids=["subjects", "blocks"])
def test_folds_of_the_same_people_may_differ(tmp_path, options):
    options |= {"subjects": ["P01", "P02", "P03"]}
    for number, folds in enumerate([GIVEN, OFFICIAL, {"number": 2}, {"protocol": "leave_one_out"}]):
        write(tmp_path, f"run{number}", **own(options, folds))
    write(tmp_path, "another", **own({}, OFFICIAL, name="another"))
    write(tmp_path, "drawn", dataset={"adapter": "bp4d"}, folds={"number": 5})
    write(tmp_path, "standard", dataset={"adapter": "bp4d"}, folds={"protocol": "standard"})
    assert len(load_runs(tmp_path)) == 7


def test_a_run_that_cannot_be_compared_is_named_with_its_mistake(tmp_path):
    write(tmp_path, "a", **own({}, {"number": 2}))
    write(tmp_path, "b", **own())
    with pytest.raises(ParamsError, match=r"/a\.yaml: dataset\.options\.subjects: missing"):
        load_runs(tmp_path)


def test_one_folder_under_two_names_has_the_same_people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("params", "data/raw/a"):
        Path(folder).mkdir(parents=True)
    activities = {"activities": {"joke": "joke", "song": "song"}}
    write(Path("params"), "a", **own(activities, name="a") | {"pretrain": {}})
    write(Path("params"), "b", **own(name="b") | {"pretrain": {"from": "a"}})
    assert len(load_runs("params")) == 2
    Path("data/raw/b").symlink_to("a")
    with pytest.raises(ParamsError, match=r"b\.yaml: pretrain\.from: a: its data set a has the same people as b"):
        load_runs("params")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pretrain": {"from": "nowhere"}}, "no run nowhere"),
        ({"pretrain": {"from": "none"}}, "trains no stage 1"),
        ({"pretrain": {"from": "a"}, "crop": {"size": 100}}, "crop differs from that of a"),
        ({"pretrain": {"from": "a"}, "folds": {"seed": 4}}, "folds differs from that of a"),
        ({"pretrain": {"from": "a"}, "seeds": [0, 9]}, "run a has no seed 9"),
    ],
)
def test_stage_1_of_another_run_must_fit(tmp_path, changes, message):
    write(tmp_path, "a", **BASE)
    write(tmp_path, "none", **BASE, pretrain=None)
    write(tmp_path, "b", **{**BASE, **changes})
    with pytest.raises(ParamsError, match=message):
        load_runs(tmp_path)


DISFA = {"dataset": {"adapter": "disfa"}, "labels": {"action_units": [1, 4, 12]}, "pretrain": None}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"camra": "left"}, "dataset.options.camra: unknown key; did you mean camera?"),
        ({"camera": "top"}, "dataset.options.camera: input should be 'left' or 'right', found 'top'"),
        ({"camera": True}, "dataset.options: camera is true; expected a number or text"),
        ("left", "dataset.options: input should be a valid dictionary, found 'left'"),
    ],
)
def test_a_mistaken_option_of_an_adapter_is_one_line_like_any_key(tmp_path, options, message):
    path = write(tmp_path, "run", **{**DISFA, "dataset": {"adapter": "disfa", "options": options}})
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_an_option_is_blamed_on_the_file_that_sets_it(tmp_path):
    write(tmp_path, "base", **{**DISFA, "dataset": {"adapter": "disfa", "options": {"camera": "top"}}})
    with pytest.raises(ParamsError, match=r"base\.yaml: dataset\.options\.camera: "):
        load_params(write(tmp_path, "child", extends="base", seeds=[0]))


def test_an_adapter_without_options_takes_none(tmp_path):
    with pytest.raises(ParamsError, match=r"run\.yaml: dataset\.options\.colour: unknown key; expected no keys"):
        load_params(write(tmp_path, "run", **{**BASE, "dataset": {"adapter": "demo", "options": {"colour": 1}}}))


def test_an_unknown_adapter_is_told_with_the_file(tmp_path):
    with pytest.raises(ParamsError, match=r"run\.yaml: dataset\.adapter: no adapter bp5d; expected one of .*bp4d"):
        load_params(write(tmp_path, "run", **{**BASE, "dataset": {"adapter": "bp5d"}}))


def test_runs_that_say_a_default_option_and_that_do_not_are_over_one_data_set(tmp_path):
    write(tmp_path, "a", **DISFA)
    write(tmp_path, "b", **{**DISFA, "dataset": {"adapter": "disfa", "options": {"camera": "left"}}})
    runs = load_runs(tmp_path)
    assert runs["a"].tracked("dataset") == runs["b"].tracked("dataset")
    assert runs["a"].dataset.options["camera"] == "left"


def test_options_are_not_in_what_makes_a_training_stale_where_there_are_none(tmp_path):
    params = load_params(write(tmp_path, "a", **BASE))
    assert params.tracked("dataset") == {"adapter": "demo", "name": "demo"}


PLUS = {"dataset": {"adapter": "demo", "name": "plus"}, "render": {"kind": "videos", "seed": 5}, "device": "cpu"}


def test_stage_1_over_another_data_set_is_that_of_its_fold_all(tmp_path):
    write(tmp_path, "plus", **PLUS)
    write(tmp_path, "own", **BASE)
    write(tmp_path, "same", **BASE, pretrain={"from": "own"})
    write(tmp_path, "other", **BASE, pretrain={"from": "plus"}, folds={"number": 2})
    write(tmp_path, "none", **BASE, pretrain=None)
    runs = load_runs(tmp_path)
    found = {run: stage1_source(runs, run, 1) for run in runs}
    assert found == {
        "plus": ("plus", 1),
        "own": ("own", 1),
        "same": ("own", 1),
        "other": ("plus", "all"),
        "none": None,
    }


@pytest.mark.parametrize(
    "naming",
    [{"pretrain": {"from": "plus"}}, {"pretrain": {"also": ["plus"]}}, {"test": {"run": "plus"}}],
    ids=["from", "also", "test"],
)
def test_how_many_frames_a_detector_gets_at_once_is_no_difference(tmp_path, naming):
    write(tmp_path, "plus", **PLUS)
    write(tmp_path, "b", **BASE, **naming, crop={"batch": 4})
    assert load_runs(tmp_path)["b"].crop.batch == 4
    write(tmp_path, "b", **BASE, **naming, crop={"batch": 4, "every": 2})
    with pytest.raises(ParamsError, match="crop differs from that of plus"):
        load_runs(tmp_path)


def test_nor_is_it_within_a_data_set(tmp_path):
    write(tmp_path, "a", **BASE)
    write(tmp_path, "b", **BASE, pretrain={"from": "a"}, crop={"batch": 4})
    assert stage1_source(load_runs(tmp_path), "b", 0) == ("a", 0)


def test_how_a_model_is_computed_is_no_difference(tmp_path):
    write(tmp_path, "plus", **PLUS, model={"gradient_checkpointing": True})
    write(tmp_path, "b", **BASE, pretrain={"from": "plus"}, model={"compile": True})
    assert stage1_source(load_runs(tmp_path), "b", 0) == ("plus", "all")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"name": "clef-tiny", "image_size": 64}}, "pretrain.from: model differs from that of plus"),
        ({"crop": {"size": 100}}, "pretrain.from: crop differs from that of plus"),
        ({"seeds": [4]}, "pretrain.from: run plus has no seed 4"),
        (
            {"render": {"kind": "videos", "seed": 5}},
            "pretrain.from: plus: its data set plus has the same people as demo, by another name",
        ),
    ],
)
def test_stage_1_over_another_data_set_must_fit(tmp_path, changes, message):
    write(tmp_path, "plus", **PLUS)
    write(tmp_path, "b", **{**BASE, "pretrain": {"from": "plus"}, **changes})
    with pytest.raises(ParamsError) as caught:
        load_runs(tmp_path)
    assert message in str(caught.value)


def test_one_published_data_set_under_two_names_is_told(tmp_path):
    write(tmp_path, "images", dataset={"adapter": "bp4d"})
    write(tmp_path, "videos", dataset={"adapter": "bp4d", "name": "bp4d-videos"}, pretrain={"from": "images"})
    with pytest.raises(
        ParamsError, match=r"videos\.yaml: pretrain\.from: images: its data set bp4d has the same people as bp4d-v"
    ):
        load_runs(tmp_path)


def test_labels_that_a_data_set_has_not_are_told_with_the_file(tmp_path):
    write(tmp_path, "a", **{**BASE, "labels": {"action_units": [1, 9]}})
    with pytest.raises(ParamsError, match=r"a\.yaml: labels: demo has no label AU09"):
        load_runs(tmp_path)


def test_a_data_set_that_comes_cropped_may_start_from_one_that_does_not(tmp_path):
    write(tmp_path, "plus", **PLUS)
    write(tmp_path, "b", **BASE, pretrain={"from": "plus"}, crop={"detector": "none", "size": 100})
    assert stage1_source(load_runs(tmp_path), "b", 0) == ("plus", "all")


def test_a_data_set_without_activities_trains_no_stage_1_of_its_own(tmp_path):
    write(tmp_path, "a", **{**DISFA, "pretrain": {}})
    with pytest.raises(
        ParamsError, match=r"a\.yaml: pretrain: disfa has no activities to contrast; expected stage 1 of"
    ):
        load_runs(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": {"run": "nowhere"}}, "test.run: no run nowhere; expected one of"),
        ({"test": {"run": "own"}}, "test.run: own is over the same data set demo"),
        (
            {"test": {"run": "plus"}, "render": {"kind": "videos", "seed": 5}},
            "test.run: plus: its data set plus has the same people",
        ),
        ({"test": {"run": "plus"}, "crop": {"size": 99}}, "crop differs from that of plus, which test names"),
        ({"test": {"run": "expressions"}}, "labels: expressions has no label AU01; expected some of a data set with"),
        ({"test": {"run": "disfa"}}, "labels: disfa has no label AU07; expected some of AU01, AU02, AU04, AU06, AU12"),
        ({"test": {"run": "plus"}, "tune": {}}, "tune chooses thresholds within a data set, and test is on another"),
    ],
)
def test_a_run_that_is_tested_on_another_data_set_must_fit_it(tmp_path, changes, message):
    write(tmp_path, "plus", **PLUS)
    write(tmp_path, "own", **BASE)
    write(tmp_path, "disfa", **DISFA)
    labels = {"kind": "expressions", "expressions": ["neutral", "fear"]}
    folds = {"protocol": "official", "number": 1}
    stills = {"dataset": {"adapter": "demo_expr"}, "render": {"kind": "stills"}, "pretrain": None}
    write(tmp_path, "expressions", **stills, labels=labels, folds=folds)
    write(tmp_path, "z", **{**BASE, "dataset": {"adapter": "demo", "name": "z"}, **changes})
    if changes["test"]["run"] == "own":
        write(tmp_path, "z", **BASE, **changes)
    with pytest.raises(ParamsError) as caught:
        load_runs(tmp_path)
    assert f"z.yaml: {message}" in str(caught.value)


def test_every_params_file_of_the_project_is_valid():
    assert "demo" in load_runs(Path(__file__).parents[2] / "params")


OTHERS = {**BASE, "dataset": {"adapter": "demo", "name": "plus"}, "render": {"kind": "videos", "seed": 9}}


def test_data_sets_that_join_stage_1_join_it_for_those_who_take_it(tmp_path):
    write(tmp_path, "plus", **OTHERS)
    write(tmp_path, "demo", **BASE, pretrain={"also": ["plus"]})
    write(tmp_path, "linear", extends="demo", pretrain={"also": [], "from": "demo"}, finetune={"head": "linear"})
    write(tmp_path, "without", extends="demo", pretrain=None)
    runs = load_runs(tmp_path)
    joining = {name: joining_runs(runs, name) for name in runs}
    assert joining == {"plus": [], "demo": ["plus"], "linear": ["plus"], "without": []}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pretrain": {"also": ["pluss"]}}, "pretrain.also: no run pluss; did you mean plus?"),
        ({"pretrain": {"also": ["plus", "plus"]}}, "pretrain.also: expected each once"),
        ({"pretrain": {"also": ["plus", "twin"]}}, "pretrain.also: twin is over plus, which takes part already"),
        ({"pretrain": {"also": ["demo"]}}, "pretrain.also: demo is over demo, which takes part already"),
        ({"pretrain": {"also": ["plus"], "from": "plus"}}, "pretrain: also is for a stage 1 that is trained here"),
        ({"pretrain": {"also": ["plus"]}, "crop": {"size": 100}}, "pretrain.also: crop differs from that of plus"),
        ({"pretrain": {"also": ["stills"]}}, "pretrain.also: stills: stills has no activities to contrast"),
        ({"pretrain": {"also": ["copy"]}}, "pretrain.also: copy: its data set copy has the same people as demo"),
        ({"pretrain": {"from": "leaky"}}, "its stage 1 sees everybody of demo, by pretrain.also, whom it tests"),
        (
            {"pretrain": {"also": ["plus"]}, "test": {"run": "plus"}},
            "its stage 1 sees everybody of plus, by pretrain.also, whom it tests",
        ),
    ],
)
def test_who_cannot_join_stage_1_is_told(changes, message, tmp_path):
    write(tmp_path, "plus", **OTHERS)
    write(tmp_path, "twin", extends="plus")
    write(tmp_path, "copy", **BASE | {"dataset": {"adapter": "demo", "name": "copy"}})
    write(tmp_path, "stills", dataset={"adapter": "demo_expr", "name": "stills"}, render={"kind": "stills"},
          labels={"kind": "expressions", "expressions": ["happiness", "anger"]}, pretrain=None,
          folds={"protocol": "official", "number": 1}, device="cpu")  # fmt: skip
    write(tmp_path, "leaky", extends="plus", pretrain={"also": ["base"]})
    write(tmp_path, "base", **BASE)
    write(tmp_path, "demo", **BASE | changes)
    with pytest.raises(ParamsError) as caught:
        load_runs(tmp_path)
    assert message in str(caught.value)
