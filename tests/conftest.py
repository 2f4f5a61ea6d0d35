"""What all tests share."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("clearbar", deadline=None)  # a busy machine is no failure
settings.register_profile("few", deadline=None, max_examples=10)  # on the other Pythons
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "clearbar"))


def pytest_collection_finish() -> None:
    """Spare the garbage collector ten thousand tests, which stay to the end of the run anyway."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data, which is not part of the project; skip without it."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CLEARBAR_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"real data is not at {folder}; set CLEARBAR_DATA to where it is")
    return folder


@pytest.fixture(scope="session")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a price book, made once: a workspace that gets a copy makes none."""
    from clearbar.spend.prices.book import PriceBook

    return PriceBook.open(tmp_path_factory.mktemp("book")).path.parent
