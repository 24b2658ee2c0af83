import errno
import subprocess
import sys

import pytest

from clef.errors import ClefError
from clef.runtime import files
from clef.runtime.files import PARTIAL, abandoned, appearing, ask_guards, guarded, temporary, write_text
from tests.mounts import mounted

WRITES = """
import sys
from pathlib import Path
from clef.runtime.files import appearing
with appearing(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print(partial, flush=True)
    sys.stdin.read()
    partial.write_text("the orphan's")
"""


@pytest.fixture
def orphan(tmp_path):
    """Another process that is in the middle of writing `file`, and what it has of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(tmp_path / "file")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    yield process, tmp_path / process.stdout.readline().strip()
    process.kill()
    process.communicate()


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "new" / "file"
    with appearing(target) as partial:
        partial.write_text("half")
        assert not target.exists()
        partial.write_text("whole")
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def half_write(target, error):
    with appearing(target) as partial:
        partial.write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError("x"), ClefError("x"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(type(error)) as raised:
        half_write(target, error)
    assert raised.value is error
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_mistake_found_while_writing_stays_what_it_is(tmp_path):
    """Also where a failed read led to it."""
    mistake = ClefError("mend it")
    mistake.__context__, mistake.__suppress_context__ = OSError(errno.EIO, "read failed"), True
    with pytest.raises(ClefError, match="mend it"):
        half_write(tmp_path / "file", mistake)


def test_two_writers_of_one_file_have_nothing_of_each_others(orphan, tmp_path):
    process, theirs = orphan
    with appearing(tmp_path / "file") as partial:
        partial.write_text("the rerun's")
        assert theirs.read_text() == "half"
    assert (tmp_path / "file").read_text() == "the rerun's"
    process.communicate("go on")
    assert process.returncode == 0
    assert (tmp_path / "file").read_text() == "the orphan's"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_two_writes_in_one_process_have_nothing_of_each_others(tmp_path):
    with appearing(tmp_path / "file") as one, appearing(tmp_path / "file") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "file").read_text() == "one"


def test_what_a_killed_process_left_goes_with_the_next_write_and_a_live_ones_stays(orphan, tmp_path, monkeypatch):
    process, theirs = orphan
    strangers = [tmp_path / name for name in (".file.partial", ".file.0-0-1-1-1.partial", "notes.partial")]
    for stranger in strangers:
        stranger.write_text("not ours")
    write_text(tmp_path / "other", "text")
    assert abandoned(theirs) is False
    assert theirs.exists()
    process.kill()
    process.wait()
    assert abandoned(theirs) is True
    monkeypatch.setattr(files, "_swept", set())  # as the next process has it
    write_text(tmp_path / "other", "text")
    assert not theirs.exists()
    assert all(stranger.exists() for stranger in strangers)


def test_of_another_host_nothing_is_known_and_of_another_boot_that_it_has_ended(tmp_path, monkeypatch):
    place, boot = files._here()
    mine = temporary(tmp_path / "file")
    assert abandoned(mine) is False
    assert abandoned(mine.with_name(mine.name.replace(place, "00000000"))) is None
    assert abandoned(mine.with_name(mine.name.replace(boot, "00000000"))) is True


@pytest.mark.parametrize("name", ["x" * 250, "\U0001f600" * 80, "a"])
def test_a_temporary_name_is_never_too_long(tmp_path, name):
    target = tmp_path / name
    while len(target.name.encode()) > 255:
        target = target.with_name(target.name[1:])
    write_text(target, "text")
    assert PARTIAL.fullmatch(temporary(target).name)
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_appears_that_a_guard_does_not_let_and_everything_after_it(tmp_path):
    allowed = True

    def guard() -> None:
        if not allowed:
            raise ClefError("not now")

    with guarded(guard):
        write_text(tmp_path / "before", "text")
        during = appearing(tmp_path / "during")
        during.__enter__().write_text("text")
        allowed = False
        with pytest.raises(ClefError, match="not now"):
            during.__exit__(None, None, None)
        with pytest.raises(ClefError, match="not now"):
            write_text(tmp_path / "later", "text")
        with pytest.raises(ClefError, match="not now"):
            ask_guards()
    write_text(tmp_path / "after", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after", "before"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file") as raised:
        write_text(tmp_path / "file" / "below", "text")
    assert raised.value.filename is not None


@pytest.fixture
def small_disk(tmp_path):
    """A real file system with room for 256 KB."""
    with mounted(tmp_path, "size=256k") as disk:
        yield disk


def with_python(partial):
    partial.write_bytes(b"0" * 1_000_000)


def with_arrow(partial):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [bytes(range(256)) * 4000]}), partial, compression=None)


def with_safetensors(partial):
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(250_000)}, partial)


def with_torch(partial):
    import torch

    with open(partial, "wb") as file:
        torch.save({"a": torch.zeros(250_000)}, file)


@pytest.mark.parametrize("write", [with_python, with_arrow, with_safetensors, with_torch])
def test_a_full_disk_names_the_file_whatever_library_wrote(small_disk, write):
    target = small_disk / "results" / "file"
    with pytest.raises(OSError, match="No space left on device") as raised, appearing(target) as partial:
        write(partial)
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == str(target)
    assert list(target.parent.iterdir()) == []
