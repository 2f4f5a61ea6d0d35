"""Records of one charge become one charge: a pure function of the set of its records.

The winner is the whole record of the best evidence, then the newest parser's, then the final one,
then the one with most output, then the latest line; never a per-field maximum. Of a bucket or a
line of a bill the final reading goes before the newest parser's: it is of a later pull. A record
that saw a part of a stream goes after a gateway's or a provider's that saw it whole (an agent's log
says of no stream that it was cut), and one that knows neither usage nor a bill after all that do.
The charge begins when the earliest record says so. Its origin is the winner's, completed by the
others'. So the order of reading, repeated reading and overlapping files change nothing.

A row of a declared table means what clearbar.toml says of its columns: of several readings of it
the latest wins, its time too, so that a corrected mapping takes effect; a source that knows its
format goes before a table of equal evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.charge import DIMENSIONS, EVIDENCE_RANK, Origin, label_text, labels_of
from clearbar.spend.columns import STORED

if TYPE_CHECKING:
    from collections.abc import Sequence

_TRACE_SAW_ALL: Final = 2 * EVIDENCE_RANK["trace"]
RANK: Final = f"""row(usage <> 'missing' OR reported_basis = 'billed',
 CASE WHEN usage = 'partial' AND reported_basis <> 'billed'
  THEN least(2 * evidence, {_TRACE_SAW_ALL + 1}) ELSE 2 * evidence END, evidence,
 CASE WHEN grain = 'call' THEN 0 ELSE final END, parser_version,
 CASE WHEN source = 'table' THEN epoch_us(read_at) ELSE {2**62} END,
 final, coalesce(output_tokens, -1), epoch_us(coalesce(seen_at, started_at)), digest, source,
 -epoch_us(started_at), lines, epoch_us(read_at), uri)"""
"""SQL by which the highest record of a charge wins; no two are equal but for equal records."""

_FILLED: Final = ("trace_id", "session_id", "task_id")


def heads_sql(records: str) -> str:
    """Return SQL over records with `place`, `united_id` and `worn`: one row a charge of several.

    The winner's place, the charge's id and identity, and what else others than the winner say.
    `differ` says whether the records name several origins. A charge of one record is left out,
    unless its id is worn, so that it is not the record's own.
    """
    filled = ", ".join(f"nullif(max({name}), '') AS told_{name}" for name in _FILLED)
    return f"""
        SELECT united_id, arg_max(place, {RANK}) AS place, min(started_at) AS began, {filled},
               any_value(identity) FILTER (charge_id = united_id) AS united_identity,
               min(origin_id) <> max(origin_id) AS differ
        FROM {records} GROUP BY united_id HAVING count(*) > 1 OR bool_or(worn)"""


def merged_sql(records: str, heads: str, united: str) -> str:
    """Return SQL of the merged charges: the winners, completed by what the others know.

    `united` has the origin of some places: `united_origin_id`.
    """
    made = {name: f"coalesce(nullif({name}, ''), told_{name}, '')" for name in _FILLED}
    starts = "CASE WHEN source = 'table' THEN started_at ELSE began END"
    made |= {"started_at": starts, "day": f"CAST({starts} AS DATE)"}
    made |= {"origin_id": "coalesce(united_origin_id, origin_id)", "charge_id": "united_id"}
    made["identity"] = "coalesce(united_identity, identity)"
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
