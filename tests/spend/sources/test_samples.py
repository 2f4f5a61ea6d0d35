from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.spend.sources.samples import cases, expected_half, told

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.parent.name}-{case.name}")
def test_a_sample_reads_as_its_expected_half_says(case: Path) -> None:
    expected = json.loads(expected_half(case).read_text(encoding="utf-8"))
    assert told(case) == expected


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.parent.name}-{case.name}")
def test_a_sample_is_recognised_by_the_source_whose_folder_it_is_in(case: Path) -> None:
    assert {item["source"] for item in told(case)} == {case.parent.name}
