"""Records of one charge become one charge: a pure function of the set of its records.

The winner is the whole record of the best evidence, then the newest parser's, then the final one,
then the one with most output, then the latest line; never a per-field maximum. The charge begins
when the earliest record says so. Its origin is the winner's, completed by the others'. So the
order of reading, repeated reading and overlapping files change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend.charge import DIMENSIONS, Origin, label_text, labels_of
from clearbar.spend.columns import STORED

if TYPE_CHECKING:
    from collections.abc import Sequence

PRECEDENCE: Final = """evidence DESC, parser_version DESC, final DESC,
 coalesce(output_tokens, -1) DESC, coalesce(seen_at, started_at) DESC, digest DESC, source DESC,
 started_at, lines DESC, read_at DESC, uri"""
"""SQL order in which the first record of a charge wins; total but for equal records."""

_FILLED: Final = ("trace_id", "session_id", "task_id")
_DERIVED: Final = ("started_at", "day", *_FILLED)


def merged_sql(records: str) -> str:
    """Return SQL over a relation of records: one row a charge, and `origin_ids`, winner's first."""
    kept = ", ".join(name for name in STORED if name not in _DERIVED)
    filled = ", ".join(
        f"coalesce(nullif({name}, ''), max(nullif({name}, '')) OVER same, '') AS {name}"
        for name in _FILLED
    )
    return f"""
        SELECT {kept}, {filled},
               min(started_at) OVER same AS started_at,
               CAST(min(started_at) OVER same AS DATE) AS day,
               list(origin_id) OVER (same ORDER BY {PRECEDENCE}
                   ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS origin_ids
        FROM {records}
        WINDOW same AS (PARTITION BY charge_id)
        QUALIFY row_number() OVER (same ORDER BY {PRECEDENCE}) = 1"""


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
