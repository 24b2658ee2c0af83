import pytest

from clef.comparison.finished_run import read_run
from clef.errors import ClefError
from tests.comparison.conftest import edit


def test_a_run_is_read_by_name_or_by_folder(finish, tmp_path):
    folder = finish("demo", seeds=(0, 1))
    run = read_run("demo", tmp_path / "results")
    assert (run.name, run.folder, run.folds, list(run.grid)) == ("demo", folder, [0, 1], [0, 1])
    assert run.labels == ["AU01", "AU06", "AU12"]
    assert run.training_folders()[2] == folder / "seed1" / "fold0"
    assert read_run(str(folder), tmp_path / "nowhere").summary == run.summary


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("summary.json", None, "summary.json: no such file; finish the run"),
        ("seed0/fold1/metrics.json", None, "fold1/metrics.json: no such file; the comparison needs its counts"),
        ("summary.json", lambda summary: summary.pop("rows"), "summary.json: not a summary"),
        ("summary.json", lambda summary: summary["rows"]["mean"].update(f1=0.1), "does not match the metrics"),
        ("seed0/fold1/metrics.json", lambda metrics: metrics.update(threshold=0.3), "has threshold 0.3, another"),
        ("summary.json", "{", r"summary\.json: not valid JSON"),
    ],
)
def test_incomplete_results_are_one_error_line(finish, tmp_path, path, change, message):
    folder = finish("demo")
    if change is None:
        (folder / path).unlink()
    elif isinstance(change, str):
        (folder / path).write_text(change)
    else:
        edit(folder / path, change)
    with pytest.raises(ClefError, match=message) as error:
        read_run("demo", tmp_path / "results")
    assert "\n" not in str(error.value)
