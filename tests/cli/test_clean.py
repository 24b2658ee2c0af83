from pathlib import Path

import pytest

from tests.cli.conftest import on_a_terminal

UNUSED = "data/interim/demo/00000000"
LISTED = "   2.0 kB  data/interim/demo/00000000  (crops of settings that no params file uses)"


@pytest.fixture
def checkout(tmp_path) -> Path:
    for name, content in {
        "params/demo.yaml": "dataset: {adapter: demo}\nrender: {}\n",
        f"{UNUSED}/F001.arrow": "0" * 2000,
        "data/raw/demo/videos/F001/T1.mp4": "video",
        "results/forgotten/seed0/fold0/metrics.json": "{}",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_unneeded_files_are_listed_and_removed_with_yes(checkout, clef_here):
    listed, refused = (clef_here("clean", *option, folder=checkout) for option in (["--dry-run"], []))
    assert not listed.returncode
    assert LISTED in listed.stdout
    assert "Kept results without params file: forgotten; --results removes them too" in listed.stdout
    assert "2.0 kB can be removed; nothing was removed" in listed.stdout
    assert refused.returncode == 1
    assert "no terminal to ask on; use --yes" in refused.stderr
    assert (checkout / UNUSED).exists()
    assert "2.0 kB removed" in clef_here("clean", "--yes", folder=checkout).stdout
    assert not (checkout / UNUSED).exists()
    assert (checkout / "data/raw/demo/videos/F001/T1.mp4").exists()
    assert (checkout / "results/forgotten").exists()
    assert "Nothing to remove" in clef_here("clean", "--yes", folder=checkout).stdout
    clef_here("clean", "--yes", "--results", folder=checkout)
    assert not (checkout / "results/forgotten").exists()


@pytest.mark.parametrize(("answer", "kept"), [(b"\n", True), (b"y\n", False)])
def test_on_a_terminal_it_asks(answer, kept, checkout):
    code, shown = on_a_terminal("clean", folder=checkout, answer=answer)
    assert code == 0
    assert "Remove these, 2.0 kB? [y/N]" in shown
    assert (checkout / UNUSED).exists() == kept


def test_only_files_of_given_runs_are_listed(checkout, clef_here):
    (checkout / "params/other.yaml").write_text("dataset: {adapter: demo, name: other}\nrender: {}\n")
    assert "Nothing to remove" in clef_here("clean", "-n", "other", folder=checkout).stdout
    assert LISTED in clef_here("clean", "-n", "demo", folder=checkout).stdout
    ran = clef_here("clean", "-n", "xyz", folder=checkout)
    assert ran.returncode == 1
    assert "no run xyz; expected one of demo, other, forgotten" in ran.stderr


def test_a_broken_params_file_keeps_all_crops_since_it_may_use_them(checkout, clef_here):
    (checkout / "params/broken.yaml").write_text("dataset: {adaptor: demo}\n")
    (checkout / "results/demo/seed0/fold0/pretrain.work").mkdir(parents=True)
    ran = clef_here("clean", "--yes", folder=checkout)
    assert not ran.returncode
    assert "Kept all crops, manifests and stage 1 weights, since a params file has a mistake: params/b" in ran.stdout
    assert (checkout / UNUSED).exists()
    assert not (checkout / "results/demo/seed0/fold0/pretrain.work").exists()
    ran = clef_here("clean", "--yes", "broken", folder=checkout)
    assert ran.returncode == 1
    assert "broken.yaml: dataset.adapter: missing" in ran.stderr
