"""Shared by all tests: hypothesis settings and the folders of published data."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline, because a test never asserts a time; the same examples on every run,
# because a failure must be repeatable.
settings.register_profile("dcsim", deadline=None, derandomize=True, database=None)
settings.load_profile("dcsim")


def _folder(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set: published data is not part of the project")
    return Path(value)


@pytest.fixture(scope="session")
def truth() -> Path:
    """The folder of published measurements (DCSIM_TRUTH); skips where it is unset."""
    return _folder("DCSIM_TRUTH")


@pytest.fixture(scope="session")
def traces() -> Path:
    """The folder of job traces (DCSIM_TRACES); skips where it is unset."""
    return _folder("DCSIM_TRACES")
