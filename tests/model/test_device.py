import platform
import subprocess
import sys

import pytest

PAGE_FAULTS = """
import resource

import torch

from clef.model.device import prepare_device
from clef.params.schema import Params

prepare_device(Params.model_validate({"dataset": {"adapter": "demo"}, "device": "cpu", "folds": {}, "model": {}}))


def step():
    activations = [torch.ones(250_000) for _ in range(60)]
    gradient = torch.ones(3_000_000)


step()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed memory when asked")
def test_a_step_reuses_the_memory_of_the_last_one():
    done = subprocess.run([sys.executable, "-c", PAGE_FAULTS], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 100  # thousands otherwise
