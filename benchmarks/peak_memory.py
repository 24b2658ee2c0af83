"""Measure the memory of `clef predict`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The peak of a process's children is known when they have ended, so each command runs in a parent of its own.
MEASURE = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "clef", "predict", *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_kilobytes(*arguments: str) -> int:
    """Peak memory of the largest process of `clef predict` with these arguments."""
    command = [sys.executable, "-c", MEASURE, *arguments]
    return int(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout)
