"""Ids that are worn: a relay gave one and the same to several calls.

Some relays answer every call with one constant id. To take it for one call would lose all calls but
one. So an id is worn where one source tells of it with more than two different inputs, or with two
that began more than ten minutes apart. A stream that is read while it runs, an answer whose
searches add to its input, and a session that is copied do neither: one call has one input.

Of a worn id each input is a call of its own, whoever tells of it. It unites nothing else. Of equal
inputs behind one worn id one is counted: too little rather than anything made up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.charge import CACHE_READ_METERS, CACHE_WRITE_METERS, INPUT_METERS

if TYPE_CHECKING:
    from collections.abc import Iterable

_INPUT: Final = (*INPUT_METERS, *CACHE_READ_METERS, *CACHE_WRITE_METERS)
_MOST_INPUTS: Final = 2
_APART: Final = "INTERVAL 10 MINUTE"
FAR_APART_US: Final = 600 * 1_000_000

INPUT_TOTAL: Final = (
    f"CASE WHEN coalesce({', '.join(_INPUT)}) IS NULL THEN -1 ELSE "
    + " + ".join(f"coalesce({name}, 0)" for name in _INPUT)
    + " END"
)
"""SQL: all tokens that a record's call was given; -1 where it does not say."""
WORN_ID: Final = f"substr(sha256(identity || '#' || ({INPUT_TOTAL})), 1, 24)"
"""SQL: the id of the charge that a record with a worn id tells of."""


def is_worn(inputs: Iterable[int], apart_us: int) -> bool:
    """Return whether records of one id and source, with these inputs, are of several calls.

    `apart_us` is from the beginning of the first to that of the last.
    """
    different = len(set(inputs))
    return different > _MOST_INPUTS or (different > 1 and apart_us > FAR_APART_US)


def doubtful_sql(records: str, repeated: str) -> str:
    """Return SQL of the ids among `repeated` that one source tells of with several inputs: few."""
    return f"""
        SELECT DISTINCT charge_id FROM (
            SELECT charge_id, source, {INPUT_TOTAL} AS input_total
            FROM {records} SEMI JOIN {repeated} USING (charge_id)
            WHERE grain = 'call' AND source <> 'table')
        WHERE input_total > 0
        GROUP BY charge_id, source HAVING min(input_total) <> max(input_total)"""


def worn_sql(records: str, doubtful: str) -> str:
    """Return SQL of the ids among `doubtful` that are worn.

    Of one source only what its newest reader says: another reading of a line is no other call.
    """
    return f"""
        SELECT DISTINCT charge_id FROM (
            SELECT charge_id, source, started_at, {INPUT_TOTAL} AS input_total
            FROM {records} SEMI JOIN {doubtful} USING (charge_id)
            WHERE grain = 'call' AND source <> 'table'
            QUALIFY parser_version = max(parser_version) OVER (PARTITION BY charge_id, source))
        WHERE input_total > 0 GROUP BY charge_id, source
        HAVING count(DISTINCT input_total) > {_MOST_INPUTS}
            OR (count(DISTINCT input_total) > 1
                AND max(started_at) - min(started_at) > {_APART})"""


NEWEST_READING: Final = (
    "parser_version = max(parser_version) OVER (PARTITION BY charge_id, source, digest)"
)
"""SQL: whether no newer reader read the same line; else it would be a call with another input."""
