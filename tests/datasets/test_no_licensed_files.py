"""The repository has no images, tables or archives except those listed here, and no names of licensed files."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SOURCES = {".py", ".smk", ".md", ".yaml", ".yml", ".toml", ".cfg", ".ini", ".sh", ".html", ".css", ".js", ".j2"}
SOURCE_NAMES = {"LICENSE", "Makefile", "Snakefile", ".gitignore", ".gitkeep", ".dvcignore", ".gitattributes"}
LISTED = {
    ".ci/run",
    ".dvc/config",
    "clef/evaluation/run/published.csv",  # published scores
    "clef/model/configs/clef-tiny.json",
    "constraints.txt",
    "docs/pictures/demo-ablation.png",  # a plot
    "docs/pictures/demo-f1.png",  # a plot
    "docs/pictures/mlflow-compare.png",  # of the demo, without a face
    "docs/pictures/protocol-controls.png",  # a plot
    "docs/pictures/protocol-core.png",  # a plot
    "docs/pictures/report.png",  # of the demo, without a face
    "docs/pictures/viewer.png",  # with a rendered person
    "docs/tables/protocol-controls.csv",  # scores of the rendered people
    "docs/tables/protocol-core.csv",  # scores of the rendered people
    "docs/tables/protocol-stage1.csv",  # scores of the rendered people
    "tests/model/configs/test-padding.json",
    "tests/model/configs/test-timm-vit.json",
    "tests/model/configs/test-vit-quickgelu.json",
    "tests/model/configs/test-vit.json",
    "workflow/clef.def",
    "workflow/profiles/slurm/bin/sacct",
    "workflow/profiles/slurm/bin/sbatch",
}
SCORES = re.compile(r"(results/[\w.-]+/([\w-]+/)*|benchmarks/figures/)[\w-]+\.(csv|json)")
"""Scores of runs and measured times."""
LICENSED_NAME = re.compile(
    r"[FM]\d{3}_T\d+\.|(^|/)[FM]\d{3}(\.zip|/T\d+/)|SN\d{3}_au\d+|(left|right)videosn\d{3}|(train|test)_\d{4,5}(_aligned)?\."
    r"|pati?tion_label|fer2013(new)?\.csv|label\.csv$|\d+_exp\.npy|manually_annotated|fer\d{7}",
    re.IGNORECASE,
)
ROWS = re.compile(r"(?:^[ \t]*-?\d+(?:[ \t]*,[ \t]*-?\d+){1,}[ \t]*,?[ \t]*\n){40,}", re.MULTILINE)
"""A table of numbers in a source file."""


def committed() -> list[str]:
    ran = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip("not a checkout of git")
    return [name for name in ran.stdout.split("\0") if name]


def is_allowed(name: str) -> bool:
    path = Path(name)
    allowed = path.suffix in SOURCES or path.name in SOURCE_NAMES or name in LISTED or bool(SCORES.fullmatch(name))
    return allowed and not LICENSED_NAME.search(name)


def test_every_file_is_source_code_or_listed():
    assert [name for name in committed() if not is_allowed(name)] == []


def test_no_source_file_contains_a_table_of_labels():
    texts = {name: ROOT / name for name in committed() if Path(name).suffix in SOURCES}
    assert [n for n, path in texts.items() if path.is_file() and ROWS.search(path.read_text(encoding="utf-8"))] == []


def test_files_of_data_sets_and_tables_of_labels_are_detected():
    names = "F001_T1.csv data/M018_T10.yaml tests/data/F001/T1/0000.jpg F001.zip faces.png labels.npy SN001_au1.txt "
    names += "tests/LeftVideoSN001_comp.avi list_patition_label.txt test_0001_aligned.jpg fer2013new.csv "
    names += "FER2013Train/label.csv 0_exp.npy results/bp4d/face.png weights/model.safetensors"
    assert [name for name in names.split() if is_allowed(name)] == []
    rows = "".join(f"{frame},0,1,9\n" for frame in range(60))
    assert ROWS.search(f'TABLE = """\n{rows}"""\n')
    assert not ROWS.search("FOLDS = [\n" + "    1, 2, 4, 6,\n" * 8 + "]\n")
