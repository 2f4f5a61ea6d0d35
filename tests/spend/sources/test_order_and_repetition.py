"""A law of session logs: neither the order of lines nor how often they stand there matters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.spend.sources.read_lines import read_lines

from clearbar.spend.charge import METERS, Record
from clearbar.spend.sources import claude_code

if TYPE_CHECKING:
    from collections.abc import Sequence


def lines_of_messages() -> st.SearchStrategy[list[bytes]]:
    message = st.fixed_dictionaries(
        {
            "id": st.sampled_from(["msg_1", "msg_2", "msg_3"]),
            "stop_reason": st.sampled_from([None, "end_turn"]),
            "usage": st.fixed_dictionaries(
                {"input_tokens": st.integers(0, 9), "output_tokens": st.integers(0, 3)}
            ),
        }
    )
    line = st.fixed_dictionaries(
        {
            "message": message,
            "isSidechain": st.booleans(),
            "timestamp": st.sampled_from(["2026-01-05T17:00:30Z", "2026-01-05T18:00:31+01:00"]),
        }
    )
    return st.lists(line.map(lambda value: json.dumps(value).encode()), min_size=1, max_size=6)


def meters(items: Sequence[object]) -> set[tuple[object, ...]]:
    return {
        (item.identity, item.started_at_us, item.digest, *(getattr(item, each) for each in METERS))
        for item in items
        if isinstance(item, Record)
    }


@given(lines=lines_of_messages(), data=st.data())
def test_the_order_and_number_of_equal_lines_change_nothing(
    lines: list[bytes], data: st.DataObject
) -> None:
    again = data.draw(st.permutations([*lines, *data.draw(st.lists(st.sampled_from(lines)))]))
    assert meters(read_lines(claude_code, again)) == meters(read_lines(claude_code, lines))


@given(lines=lines_of_messages())
def test_every_line_that_tells_of_a_call_is_accounted_for(lines: list[bytes]) -> None:
    records = [item for item in read_lines(claude_code, lines) if isinstance(item, Record)]
    assert sum(record.lines for record in records) == len(lines)
