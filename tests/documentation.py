"""The commands that the documentation tells a reader to type."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config" / "README.md", *(ROOT / "docs").glob("*.md")]
)
OWN = ["clef", "snakemake", "make", "git", "dvc", "mlflow", "python"]
"""Programs of the project and of its environment."""
PROGRAMS = [*OWN, "source", "printf", "cd", "mkdir", "cp", "tail", "cat", "bash"]


def code_blocks(page: Path) -> list[str]:
    """Indented blocks, without their indentation."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"(?:^    .*\n?)+", text, re.MULTILINE)
    return ["\n".join(line[4:] for line in block.rstrip("\n").split("\n")) for block in blocks]


def commands(page: Path) -> list[str]:
    """Every line of a code block that begins with a program, without the comment after it."""
    lines = [line for block in code_blocks(page) for line in block.split("\n")]
    return [re.sub(r"\s+#.*", "", line) for line in lines if line.split(" ")[0] in PROGRAMS]


def fenced(page: Path) -> list[str]:
    """Every line of a block that is fenced as bash: commands that need what a test does not have."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in re.sub(r"\s+#.*", "", block.replace("\\\n", " ")).splitlines() if line]


def inline(page: Path) -> list[str]:
    """Commands in running text, in backquotes."""
    text = page.read_text(encoding="utf-8")
    found = [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    return [code for code in found if code.split(" ")[0] in OWN and " " in code]
