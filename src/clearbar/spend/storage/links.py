"""What records say of each other's identities, as tables of the engine.

A record has one identity and may name others of the same call, its aliases. An alias is a link
where another record has it for its identity, or names it too; any other says nothing to anybody.
Ids that are too short or too plain to be of one call are no links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clearbar.spend.storage.arrays import shown
from clearbar.spend.storage.record_files import parquet_sql
from clearbar.spend.storage.uniting import STRENGTHS, labels_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

_KIND: Final = "split_part(alias, ':', 1)"
_TAIL: Final = (
    "regexp_replace(alias, '^(span|(gateway|client):[^:]*|upstream(:[^:]*)?):([a-z]+[_-])?', '')"
)
"""An id without what says whose it is, and without a prefix such as `msg_`."""
_SHORTEST: Final = 12
_FEWEST_OTHERS: Final = 4
"""Characters of an id that are not its first: ids of zeros are no ids."""
_SPAN: Final = "regexp_matches(alias, '^span:[^:]{8,}:[^:]{8,}$') AND NOT alias SIMILAR TO '.*:0+'"
_STRENGTHS: Final = " ".join(f"WHEN '{kind}' THEN {n}" for kind, n in STRENGTHS.items())
_STRENGTH: Final = f"CASE {_KIND} {_STRENGTHS} END"
TELLING: Final = f"""({_STRENGTH} IS NOT NULL AND length({_TAIL}) >= {_SHORTEST}
    AND length(replace({_TAIL}, left({_TAIL}, 1), '')) >= {_FEWEST_OTHERS}
    AND ({_KIND} <> 'span' OR ({_SPAN})))"""
"""SQL: whether an alias may be the id of one call alone."""
_ID: Final = "substr(sha256(alias), 1, 24)"
_NEWEST: Final = "parser_version = max(parser_version) OVER (PARTITION BY source, digest)"
"""SQL: whether no newer reader read the same line, which may know its call by another identity."""
FIRST: Final = f"row(-coalesce(CASE split_part(identity, ':', 1) {_STRENGTHS} END, 0), identity)"
"""SQL: the lowest of a charge's identities gives its id."""


def aliases_sql(files: Sequence[Path]) -> str:
    """Return SQL of the aliases that calls name: `charge_id` and `alias`."""
    return f"""(SELECT charge_id, unnest(string_split(aliases, chr(10))) AS alias
        FROM {parquet_sql(files)} WHERE aliases > '' AND grain = 'call')"""


def any_alias(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> bool:
    """Return whether any call names another identity; looks at the files' statistics mostly."""
    found = connection.execute(f"SELECT 1 FROM {parquet_sql(files)} WHERE aliases > '' LIMIT 1")
    return found.fetchone() is not None


def find_links(
    connection: duckdb.DuckDBPyConnection,
    new: Sequence[Path],
    old: Sequence[Path],
    stored: Path | None,
) -> bool:
    """Make `link`: the records' ids and which others they name; return whether any are new.

    `stored` are the links between the old files. Of these only what new ones speak of is read;
    there are none in it where no call names another identity.
    """
    earlier = f"SELECT * FROM {parquet_sql([stored])}" if stored else _NO_LINKS
    connection.execute(f"CREATE TEMP TABLE claim AS FROM {aliases_sql(new)}")
    if old:
        connection.execute(
            f"""INSERT INTO claim FROM {aliases_sql(old)} SEMI JOIN (
                FROM (SELECT alias FROM claim) UNION SELECT identity FROM {parquet_sql(new)})
            USING (alias)"""
        )
    connection.execute(
        f"""
        CREATE TEMP TABLE shared AS
            SELECT alias FROM claim GROUP BY alias HAVING min(charge_id) <> max(charge_id)
            UNION SELECT alias FROM ({earlier})
            UNION SELECT identity FROM {parquet_sql([*new, *old])}
                SEMI JOIN claim ON identity = alias;
        CREATE TEMP TABLE link AS
            SELECT charge_id, alias FROM claim SEMI JOIN shared USING (alias)
            WHERE {TELLING} AND {_ID} <> charge_id
            UNION {earlier};
        DROP TABLE claim; DROP TABLE shared"""
    )
    more = connection.execute(f"SELECT 1 FROM (FROM link EXCEPT {earlier}) LIMIT 1")
    return more.fetchone() is not None


def speaks_of_links(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether any `fresh` id stands in a `link`, so that its source counts there too."""
    found = connection.execute(
        f"""SELECT 1 FROM fresh SEMI JOIN (
            SELECT charge_id FROM link UNION ALL SELECT {_ID} FROM link
        ) USING (charge_id) LIMIT 1"""
    )
    return found.fetchone() is not None


_NO_LINKS: Final = "SELECT '' AS charge_id, '' AS alias WHERE false"


def unite(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Fill `united` from `link`: the ids of charges that several identities have, and whose.

    Links of ids in `worn` do not count. A record of no calls only says of another that it is none;
    what an older reader made of a line is no other call than what the newest makes of it.
    """
    connection.execute(
        f"""
        CREATE TEMP TABLE edge AS
            SELECT charge_id, {_ID} AS said_id, {_STRENGTH}::TINYINT AS strength FROM link
            WHERE charge_id NOT IN (FROM worn) AND said_id NOT IN (FROM worn);
        CREATE TEMP TABLE node AS
            SELECT charge_id, row_number() OVER () - 1 AS number
            FROM (SELECT charge_id FROM edge UNION SELECT said_id FROM edge);
        CREATE TEMP TABLE witness AS
            SELECT number, charge_id, identity, source,
                   coalesce(max(calls) FILTER (newest), 0) > 0 AS calls
            FROM (SELECT *, {_NEWEST} AS newest FROM (
                SELECT number, charge_id, identity, source, calls, digest, parser_version
                FROM {parquet_sql(files)} JOIN node USING (charge_id)))
            GROUP BY ALL"""
    )
    links = connection.execute(
        """SELECT o.number, s.number AS other, strength FROM edge
        JOIN node o USING (charge_id) JOIN node s ON said_id = s.charge_id"""
    ).fetchnumpy()
    witnesses = connection.execute(
        """SELECT number, dense_rank() OVER (ORDER BY source) - 1 AS source FROM witness
        WHERE calls"""
    ).fetchnumpy()
    [count] = connection.execute("SELECT count(*) FROM node").fetchone() or (0,)
    ones, others, strengths = (_plain(links[name]) for name in ("number", "other", "strength"))
    labels = labels_of(
        int(count),
        (ones, others, strengths),
        (_plain(witnesses["number"]), _plain(witnesses["source"])),
    )
    numbers = {"number": _numbers(int(count)), "label": labels}
    with shown(connection, "labelled", {"number": "BIGINT", "label": "BIGINT"}, numbers):
        connection.execute(
            f"""
            CREATE TEMP TABLE classed AS
                SELECT label, charge_id, identity FROM witness JOIN labelled USING (number)
                GROUP BY ALL;
            INSERT INTO united
                SELECT charge_id, united_id FROM classed JOIN (
                    SELECT label, arg_min(charge_id, {FIRST}) AS united_id FROM classed
                    GROUP BY label HAVING count(*) > 1) USING (label);
            DROP TABLE classed; DROP TABLE witness; DROP TABLE node; DROP TABLE edge"""
        )


def _plain(column: Any) -> Any:
    """Return a column without the mask that the engine may put on it; none of it is NULL."""
    return column.data if hasattr(column, "mask") else column


def _numbers(count: int) -> Any:
    import numpy as np  # noqa: PLC0415 - as where columns are made

    return np.arange(count)
