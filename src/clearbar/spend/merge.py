"""Records of one charge become one charge: a pure function of the set of its records.

The winner is the whole record of the best evidence, then the newest parser's, then the final one,
then the one with most output, then the latest line; never a per-field maximum. The charge begins
when the earliest record says so. Its origin is the winner's, completed by the others'. So the
order of reading, repeated reading and overlapping files change nothing.

A row of a declared table means what clearbar.toml says of its columns: of several readings of it
the latest wins, its time too, so that a corrected mapping takes effect; a source that knows its
format goes before a table of equal evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.charge import DIMENSIONS, Origin, label_text, labels_of
from clearbar.spend.columns import STORED

if TYPE_CHECKING:
    from collections.abc import Sequence

RANK: Final = f"""row(evidence, parser_version,
 CASE WHEN source = 'table' THEN epoch_us(read_at) ELSE {2**62} END,
 final, coalesce(output_tokens, -1), epoch_us(coalesce(seen_at, started_at)), digest, source,
 -epoch_us(started_at), lines, epoch_us(read_at), uri)"""
"""SQL by which the highest record of a charge wins; no two are equal but for equal records."""

_FILLED: Final = ("trace_id", "session_id", "task_id")


def heads_sql(records: str) -> str:
    """Return SQL over records with a `place`: one row a charge, the winner's place and what else.

    `differ` says whether the records name several origins.
    """
    filled = ", ".join(f"nullif(max({name}), '') AS told_{name}" for name in _FILLED)
    return f"""
        SELECT charge_id, arg_max(place, {RANK}) AS place, min(started_at) AS began, {filled},
               min(origin_id) <> max(origin_id) AS differ
        FROM {records} GROUP BY charge_id"""


def merged_sql(records: str, heads: str, united: str) -> str:
    """Return SQL of the merged charges: the winners, completed by what the others know.

    `united` has the origin of some places: `united_id`.
    """
    made = {name: f"coalesce(nullif({name}, ''), told_{name}, '')" for name in _FILLED}
    starts = "CASE WHEN source = 'table' THEN started_at ELSE began END"
    made |= {"started_at": starts, "day": f"CAST({starts} AS DATE)"}
    made |= {"origin_id": "coalesce(united_id, origin_id)", "charge_id": "r.charge_id"}
    columns = ", ".join(f"{made.get(name, name)} AS {name}" for name in STORED)
    return f"""
        SELECT {columns} FROM {records} r JOIN {heads} USING (place)
        LEFT JOIN {united} USING (place)"""


def united(origins: Sequence[Origin]) -> Origin:
    """Return the first origin, completed by what only the later ones know."""
    values = {
        name: next((found for origin in origins if (found := getattr(origin, name))), "")
        for name in DIMENSIONS
    }
    labels: dict[str, str] = {}
    for origin in reversed(origins):
        labels |= labels_of(origin.labels)
    return Origin(**values, labels=label_text(labels))
