"""The benchmarks start; what they measure is run by `make bench` and `make bench-gpu`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if "main()" in path.read_text())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_benchmark_starts(name):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode and "retinaface" in ran.stderr:
        pytest.skip("retinaface-pytorch is not installed")
    assert ran.returncode == 0, ran.stderr
    assert "--out" in ran.stdout or name in ("ranks", "interval_coverage")
