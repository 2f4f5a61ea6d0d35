"""Records that tell of calls by several names, appended as their sources' files."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tests.spend.record_makers import record
from tests.spend.witnesses.slow_rules import Told

from clearbar.spend.charge import Origin
from clearbar.spend.identity import alias_text
from clearbar.spend.storage.append import FileRead

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.spend.charge import Evidence
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

EVIDENCE: dict[str, Evidence] = {
    "openai_usage": "provider",
    "litellm": "gateway",
    "gateway": "gateway",
    "otlp": "trace",
    "claude_code": "client",
}
ANSWER = "upstream:msg_01Hk7XbQ2pLw"
ASKED = "gateway:litellm:5a9d41c08e77"
SPAN = "span:7f3b2c9d1e4a5f60:91ab27cd33ef"
LOGGED = "client:claude_code:c4f1d2e3a5b6"


def told(source: str, identity: str, *aliases: str, **values: Any) -> Told:
    """Return a record of a source that knows a call by an identity and other names of it."""
    origin = Origin(source, provider="anthropic", model="claude-sonnet-4-5")
    given = {"origin": origin, "evidence": EVIDENCE[source], "aliases": alias_text(*aliases)}
    return Told(source, record(identity, **given | values))


def append(ledger: Ledger, book: PriceBook, all_told: Iterable[Told], *, at: int = 1) -> None:
    """Append records, those of one source that follow each other as one file's."""
    with ledger.appender(book, at) as appender:
        for source, group in groupby(all_told, key=itemgetter(0)):
            appender.begin(FileRead(f"{source}.jsonl", source, 1))
            for each in group:
                assert appender.add(each.record)
        appender.seal()


def charges(ledger: Ledger) -> dict[str, int | None]:
    """Return the id of each charge and its output, by which tests know the record that won."""
    frame = ledger.charges()
    if frame is None:
        return {}
    rows = ledger.engine.rows(frame.select("charge_id", "output_tokens"))
    found = dict(rows)
    assert len(found) == len(rows), "an id stands for two charges"
    return found
