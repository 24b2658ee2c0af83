import errno
import subprocess

import pytest

from clef.errors import ClefError
from clef.files import appearing, write_text


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


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file") as raised:
        write_text(tmp_path / "file" / "below", "text")
    assert raised.value.filename is not None


@pytest.fixture
def small_disk(tmp_path):
    """A real file system with room for 256 KB."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount the small file system that this needs")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


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
