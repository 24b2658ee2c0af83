import pytest
import yaml

from tests.cli.conftest import clef

DEMO = {"dataset": {"adapter": "demo"}, "render": {"subjects": 5}, "folds": {"number": 2}}
BP4D = {"dataset": {"adapter": "bp4d"}, "folds": {"protocol": "standard"}}


@pytest.fixture
def shown(tmp_path):
    """What `clef folds run` prints for these params, one line where a cell is broken."""

    def show(code: int = 0, **params) -> str:
        (tmp_path / "params").mkdir(exist_ok=True)
        (tmp_path / "params" / "run.yaml").write_text(yaml.safe_dump(params))
        ran = clef("folds", "run", folder=tmp_path)
        assert ran.returncode == code, ran.stderr
        return ran.stdout + ran.stderr

    return show


def test_every_fold_is_shown_with_its_subjects(shown):
    printed = shown(**DEMO)
    assert "run: subjects" in printed
    rows = [line for line in printed.splitlines() if "│" in line]
    assert len(rows) == 2
    assert all(sum(subject in row for row in rows) == 1 for subject in ("F001", "F002", "F003", "M001", "M002"))
    assert "3: " in printed
    assert "2: " in printed


def test_published_folds_are_shown_with_what_papers_call_them(shown):
    printed = shown(**BP4D)
    assert "run: standard, three-fold" in printed
    assert "published as" in printed
    for name in ("P1", "P2", "P3", "JAA-Net"):
        assert name in printed
    assert "In no fold" not in printed


def test_the_official_split_and_a_test_elsewhere_have_no_list(shown):
    stills = {"dataset": {"adapter": "demo_expr"}, "render": {"kind": "stills"}}
    stills |= {"labels": {"kind": "expressions", "expressions": ["fear", "anger"]}, "folds": {"protocol": "official"}}
    assert "test split" in shown(**stills)
    printed = shown(**DEMO, test={"run": "other"})
    assert "run: on other" in printed
    assert "everybody of the other data set" in printed


def test_a_mistake_is_one_line(shown):
    folds = {"protocol": "standard", "partition": "four"}
    assert "bp4d has no partition four; expected one of three-fold" in shown(1, **(BP4D | {"folds": folds}))
