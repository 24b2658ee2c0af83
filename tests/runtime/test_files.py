import errno
import os
import subprocess
import sys

import pytest

from clef.errors import ClefError
from clef.runtime import files
from clef.runtime.files import (
    TEMPORARY_NAME,
    atomic_folder,
    atomic_write,
    check_guards,
    guard_writes,
    is_abandoned,
    is_running,
    temporary_path,
    write_text,
)
from tests.mounts import mounted

WRITE = """
import sys
from pathlib import Path
from clef.runtime.files import atomic_write
with atomic_write(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print(partial, flush=True)
    sys.stdin.read()
    partial.write_text("whole")
"""


@pytest.fixture
def writer(tmp_path):
    """Another process that is writing `file`, and its temporary path."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(tmp_path / "file")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process, tmp_path / process.stdout.readline().strip()
    process.kill()
    process.communicate()


def test_file_appears_only_when_it_is_whole(tmp_path):
    target = tmp_path / "new" / "file"
    with atomic_write(target) as partial:
        partial.write_text("half")
        assert not target.exists()
        partial.write_text("whole")
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def fail_while_writing(target, error):
    with atomic_write(target) as partial:
        partial.write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError("x"), ClefError("x"), KeyboardInterrupt()])
def test_error_keeps_the_old_file_and_leaves_nothing(tmp_path, error):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(type(error)) as raised:
        fail_while_writing(target, error)
    assert raised.value is error
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_error_that_hides_a_failed_read_is_not_taken_for_a_failed_write(tmp_path):
    error = ClefError("fix it")
    error.__context__, error.__suppress_context__ = OSError(errno.EIO, "read failed"), True
    with pytest.raises(ClefError, match="fix it"):
        fail_while_writing(tmp_path / "file", error)


def test_two_processes_that_write_one_file_do_not_mix(writer, tmp_path):
    process, theirs = writer
    with atomic_write(tmp_path / "file") as partial:
        partial.write_text("ours")
        assert theirs.read_text() == "half"
    assert (tmp_path / "file").read_text() == "ours"
    process.communicate("continue")
    assert process.returncode == 0
    assert (tmp_path / "file").read_text() == "whole"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_two_writes_of_one_process_do_not_mix(tmp_path):
    with atomic_write(tmp_path / "file") as one, atomic_write(tmp_path / "file") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "file").read_text() == "one"


def test_file_of_a_dead_process_is_removed_by_the_next_write(writer, tmp_path, monkeypatch):
    process, theirs = writer
    others = [tmp_path / name for name in (".file.partial", ".file.elsewhere-1-01234567.partial", "notes.partial")]
    for other in others:
        other.write_text("not ours")
    write_text(tmp_path / "other", "text")
    assert is_abandoned(theirs) is False
    assert theirs.exists()
    process.kill()
    process.wait()
    assert is_abandoned(theirs) is True
    monkeypatch.setattr(files, "_swept", set())  # as in a new process
    write_text(tmp_path / "other", "text")
    assert not theirs.exists()
    assert all(other.exists() for other in others)
    assert [is_abandoned(other) for other in others] == [None] * 3


def test_zombies_do_not_run():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_running(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_running(child.pid)
    child.communicate()
    assert not is_running(child.pid)


@pytest.mark.parametrize("name", ["x" * 250, "\U0001f600" * 60, "a"])
def test_temporary_name_is_not_too_long(tmp_path, monkeypatch, name):
    monkeypatch.setattr(files.socket, "gethostname", lambda: "h" * 64)
    write_text(tmp_path / name, "text")
    assert TEMPORARY_NAME.fullmatch(temporary_path(tmp_path / name).name)


def test_guard_forbids_writes(tmp_path):
    allowed = True

    def guard() -> None:
        if not allowed:
            raise ClefError("not now")

    with guard_writes(guard):
        write_text(tmp_path / "before", "text")
        during = atomic_write(tmp_path / "during")
        during.__enter__().write_text("text")
        allowed = False
        with pytest.raises(ClefError, match="not now"):
            during.__exit__(None, None, None)
        with pytest.raises(ClefError, match="not now"):
            write_text(tmp_path / "later", "text")
        with pytest.raises(ClefError, match="not now"):
            check_guards()
    write_text(tmp_path / "after", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after", "before"]


def write_with_python(partial):
    partial.write_bytes(b"0" * 1_000_000)


def write_with_arrow(partial):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [bytes(range(256)) * 4000]}), partial, compression=None)


def write_with_safetensors(partial):
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(250_000)}, partial)


def write_with_torch(partial):
    import torch

    with open(partial, "wb") as file:
        torch.save({"a": torch.zeros(250_000)}, file)


@pytest.mark.parametrize("write", [write_with_python, write_with_arrow, write_with_safetensors, write_with_torch])
def test_full_disk_names_the_file_for_every_library(tmp_path, write):
    with mounted(tmp_path, "size=256k") as disk:
        target = disk / "results" / "file"
        with pytest.raises(OSError, match="No space left on device") as raised, atomic_write(target) as partial:
            write(partial)
        assert raised.value.errno == errno.ENOSPC
        assert raised.value.filename == str(target)
        assert list(target.parent.iterdir()) == []


FOLDER = """
import os, sys
from pathlib import Path
from clef.runtime import files

def die(source, target, replace=os.replace):
    replace(source, target) if Path(source) == Path(sys.argv[1]) else os._exit(1)

os.replace = die
with files.atomic_folder(Path(sys.argv[1])) as partial:
    (partial / "file").write_text("new")
"""


def write_folder(target, text):
    with atomic_folder(target) as partial:
        (partial / "file").write_text(text)


def test_folder_that_cannot_be_replaced_is_put_back(tmp_path, monkeypatch):
    target = tmp_path / "folder"
    write_folder(target, "old")
    replace = os.replace

    def fail(source, destination):
        if destination == target and source.parent == tmp_path:
            raise OSError(errno.ENOSPC, "full", str(source))
        replace(source, destination)

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OSError, match=r"No space left on device: .*folder'"):
        write_folder(target, "new")
    assert (target / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_folder_of_a_process_that_died_while_replacing_it_is_put_back(tmp_path):
    target = tmp_path / f"{'x' * 40}-one"
    write_folder(target, "old")
    assert subprocess.run([sys.executable, "-c", FOLDER, str(target)]).returncode == 1
    assert not target.exists()
    other = tmp_path / f"{'x' * 40}-other"  # temporary names begin alike
    with pytest.raises(ValueError, match="x"), atomic_folder(other):
        raise ValueError("x")
    assert (target / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_guard_forbids_to_replace_a_folder(tmp_path):
    allowed = True

    def guard() -> None:
        if not allowed:
            raise ClefError("not now")

    write_folder(tmp_path / "folder", "old")
    with guard_writes(guard):
        during = atomic_folder(tmp_path / "folder")
        (during.__enter__() / "file").write_text("new")
        allowed = False
        with pytest.raises(ClefError, match="not now"):
            during.__exit__(None, None, None)
        with pytest.raises(ClefError, match="not now"):
            write_folder(tmp_path / "folder", "new")
    assert (tmp_path / "folder" / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]
