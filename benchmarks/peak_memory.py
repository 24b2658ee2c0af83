"""Measure the memory of a command of `clef`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The peak of a process's children is known when they have ended, and includes that of the process that started them. So
# each command runs in a small parent of its own.
MEASURE = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "clef", *sys.argv[1:]], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def peak_kilobytes(*arguments: str | Path) -> int:
    """Run `clef` with these arguments, and return the peak memory of its largest process."""
    command = [sys.executable, "-c", MEASURE, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"clef {' '.join(map(str, arguments))}\n{done.stderr[-2000:]}")
    return int(done.stdout)
