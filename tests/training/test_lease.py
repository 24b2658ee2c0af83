import json
import os
import subprocess
import sys
import time

import pytest

from clef.errors import ClefError
from clef.training.lease import STALE_SECONDS, leased


def test_a_second_holder_is_refused_and_the_lease_goes_with_the_first(tmp_path):
    target = tmp_path / "pretrain.safetensors"
    with leased(target), pytest.raises(ClefError, match=f"process {os.getpid()} .* already at work"), leased(target):
        pass
    with leased(target):
        pass
    assert not list(tmp_path.iterdir())


def test_a_killed_holder_does_not_lock_for_ever(tmp_path):
    target = tmp_path / "pretrain.safetensors"
    hold = "import sys; from clef.training.lease import leased; from pathlib import Path\n"
    hold += "with leased(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ClefError, match=f"process {holder.pid}"), leased(target):
        pass
    holder.kill()
    holder.wait()
    assert target.with_suffix(".lease").exists()
    with leased(target):
        pass


@pytest.mark.parametrize(("age", "free"), [(STALE_SECONDS / 2, False), (STALE_SECONDS * 2, True)])
def test_on_another_host_the_heartbeat_decides(tmp_path, age, free):
    target = tmp_path / "x.safetensors"
    lease = {"host": "elsewhere", "process": 1, "started": 0.0, "job": None, "heartbeat": time.time() - age}
    target.with_suffix(".lease").write_text(json.dumps(lease))
    if free:
        with leased(target):
            pass
    else:
        with pytest.raises(ClefError, match="on elsewhere"), leased(target):
            pass
