"""One sample, written once for all of these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearbar.sample import Truth, write_sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sample; `truth` fills it."""
    return tmp_path_factory.mktemp("sample")


@pytest.fixture(scope="session")
def truth(folder: Path) -> Truth:
    return write_sample(folder)


@pytest.fixture(scope="session")
def sample(folder: Path, truth: Truth) -> Path:
    """The folder, filled."""
    assert truth.total.calls
    return folder
