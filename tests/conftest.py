import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

PLACE = "CLEF_TESTDATA"

# A busy machine must not fail a test.
settings.register_profile("clef", deadline=None)
settings.load_profile("clef")

# Whoever starts the tests in the background may have had ctrl-C ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, let one process have all of a file, and one all on SLURM: they share what they
    start."""
    for item in items:
        name = "slurm" if item.get_closest_marker("slurm") else item.path.relative_to(Path(__file__).parent).as_posix()
        item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture
def nobodys_port() -> Iterator[int]:
    """A port of this machine that nobody answers on, nor can come to, meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="session")
def testdata() -> Path:
    """Real recordings and labels, kept beside the checkout and not part of it, or where the environment says."""
    beside = Path(__file__).resolve().parents[1] / ".." / "shared" / "testdata"
    folder = Path(os.environ.get(PLACE) or beside).resolve()
    if not folder.is_dir():
        if os.environ.get(PLACE):
            pytest.fail(f"{PLACE}: no folder {folder}")
        pytest.skip(f"no real files: no folder shared/testdata beside the checkout, and no {PLACE}")
    return folder


@pytest.fixture(scope="session")
def ferplus_labels(testdata: Path) -> Path:
    """FER+'s own label files."""
    folder = testdata / "ferplus"
    missing = [name for name in ("fer2013new.csv", "FER2013Train/label.csv") if not (folder / name).is_file()]
    if missing:
        pytest.skip(f"no FER+ labels among the real files: no ferplus/{missing[0]}")
    return folder
