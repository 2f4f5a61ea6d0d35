"""A law of the list of sources: each has a name of its own and says what it reads."""

from __future__ import annotations

import pytest

from clearbar.spend.sources import SOURCES, Source, table


def test_declared_tables_go_before_formats_that_are_recognised() -> None:
    assert SOURCES[0] is table
    assert len({source.NAME for source in SOURCES}) == len(SOURCES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.NAME)
def test_a_source_says_what_it_reads_in_one_line_each(source: Source) -> None:
    for said in (source.TITLE, source.WHERE, source.CONVENTION):
        assert said
        assert "\n" not in said
    assert source.PARSER_VERSION >= 1
    assert "Where: " in (source.__doc__ or "")
