from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def testdata() -> Path:
    """Real recordings, kept beside the checkout and not part of it."""
    folder = Path(__file__).resolve().parents[1] / ".." / "shared" / "testdata"
    if not folder.is_dir():
        pytest.skip("no folder shared/testdata beside the checkout")
    return folder.resolve()
