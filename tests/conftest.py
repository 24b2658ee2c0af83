import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings

TESTDATA_VARIABLE = "CLEF_TESTDATA"

# A busy machine must not fail a test.
settings.register_profile("clef", deadline=None)
settings.load_profile("clef")

# A shell that starts the tests in the background ignores SIGINT, and child processes would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In parallel runs, give all tests of a file, and all on SLURM, to one process: they share fixtures."""
    for item in items:
        name = "slurm" if item.get_closest_marker("slurm") else item.path.relative_to(Path(__file__).parent).as_posix()
        item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(autouse=True)
def restored_environment() -> Iterator[None]:
    """Restore the environment variables that the code under test sets, such as those of claimed GPUs."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine without a listener; nothing else can use it during the test."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="session")
def testdata() -> Path:
    """Real recordings and labels, which are no part of the checkout: beside it, or where CLEF_TESTDATA says."""
    default = Path(__file__).resolve().parents[1] / ".." / "shared" / "testdata"
    folder = Path(os.environ.get(TESTDATA_VARIABLE) or default).resolve()
    if not folder.is_dir():
        if os.environ.get(TESTDATA_VARIABLE):
            pytest.fail(f"{TESTDATA_VARIABLE}: no folder {folder}")
        pytest.skip(f"no folder shared/testdata beside the checkout, and no {TESTDATA_VARIABLE}")
    return folder


@pytest.fixture(scope="session")
def ferplus_labels(testdata: Path) -> Path:
    """The published label files of FER+."""
    folder = testdata / "ferplus"
    for name in ("fer2013new.csv", "FER2013Train/label.csv"):
        if not (folder / name).is_file():
            pytest.skip(f"no ferplus/{name} in the folder of real files")
    return folder
