import pytest
import yaml

DEMO = {"dataset": {"adapter": "demo"}, "render": {"subjects": 5}, "folds": {"number": 2}}
BP4D = {"dataset": {"adapter": "bp4d"}, "folds": {"protocol": "standard"}}


@pytest.fixture
def show(tmp_path, clef_here):
    """A function that returns what `clef folds run` prints for these params."""

    def show_folds(**params) -> str:
        (tmp_path / "params").mkdir(exist_ok=True)
        (tmp_path / "params" / "run.yaml").write_text(yaml.safe_dump(params))
        ran = clef_here("folds", "run", folder=tmp_path)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return show_folds


def test_every_fold_is_shown_with_its_subjects(show):
    printed = show(**DEMO)
    assert "run: subjects" in printed
    rows = [line for line in printed.splitlines() if "│" in line]
    assert len(rows) == 2
    assert all(sum(subject in row for row in rows) == 1 for subject in ("F001", "F002", "F003", "M001", "M002"))


def test_published_folds_are_shown_with_their_published_names(show):
    printed = show(**BP4D)
    assert "run: standard, three-fold" in printed
    for text in ("published as", "P1", "P2", "P3", "JAA-Net"):
        assert text in printed
    assert "In no fold" not in printed


def test_official_split_and_test_on_another_data_set_list_no_subjects(show):
    stills = {"dataset": {"adapter": "demo_expr"}, "render": {"kind": "stills"}}
    stills |= {"labels": {"kind": "expressions", "expressions": ["fear", "anger"]}, "folds": {"protocol": "official"}}
    assert "test split" in show(**stills)
    printed = show(**DEMO, test={"run": "other"})
    assert "run: on other" in printed
    assert "all subjects of the other data set" in printed
