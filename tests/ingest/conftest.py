from tests.fixtures.conftest import fixture_copy

__all__ = ["fixture_copy"]
