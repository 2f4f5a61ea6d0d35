from __future__ import annotations

import pytest

from clearbar.core.errors import ClearbarError
from clearbar.core.toml_kinds import DAYS
from clearbar.core.toml_table import Faults, Place


def test_a_bare_number_is_told_how_a_duration_is_written() -> None:
    with pytest.raises(ClearbarError, match='expected a duration in quotes, such as "28d"'):
        DAYS.read(14, Place(Faults("clearbar.toml", "")))
