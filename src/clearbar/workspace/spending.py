"""Stage 1 of a workspace: spend."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearbar.workspace.opened import Opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from clearbar.core.period import Period
    from clearbar.own.explanation import Explanation
    from clearbar.spend.ingest import Progress, Summary
    from clearbar.spend.pull.pulling import Pulled, Shown
    from clearbar.spend.report import SpendReport
    from clearbar.spend.trace import Trace


class Spending(Opened):
    """What AI cost."""

    def add(self, paths: Sequence[str], progress: Progress | None = None) -> Summary:
        """Read usage files into the ledger."""
        from clearbar.spend.candidates import candidates
        from clearbar.spend.ingest import ingest

        files = candidates(paths, Path.cwd())
        tables, now = self.declared.tables, self._clock()
        self._forget()
        return ingest(files, self.ledger, self.book, self.store, tables, self.folder, now, progress)

    def pull(
        self,
        api: str,
        since: date | None = None,
        account: str = "",
        environment: Mapping[str, str] = os.environ,
        shown: Shown | None = None,
    ) -> tuple[list[Pulled], Summary]:
        """Fetch usage and costs from an API and read them into the ledger.

        What an earlier pull has kept and not added, because it was killed, is added too.
        """
        from clearbar.spend.pull.apis import api_named
        from clearbar.spend.pull.fetch import Fetcher
        from clearbar.spend.pull.kept import place_of
        from clearbar.spend.pull.pulling import pull

        named, root = api_named(api), self.ledger.folder.path.parent
        place = place_of(root, named.name, account)
        with Fetcher(named, environment, time.sleep, random.random, self._clock) as fetcher:
            pulled = pull(named, fetcher, root, account, since, self._clock, shown)
        place.mkdir(parents=True, exist_ok=True)
        return pulled, self.add([str(place)])

    def reprice(self, period: Period) -> int:
        """Price the charges of a period again; return how many records have another price."""
        from clearbar.spend.reprice import reprice

        self._forget()
        return reprice(self.ledger, self.book, period, int(self._clock().timestamp() * 1_000_000))

    def spend(self, period: Period, by: str) -> SpendReport:
        """Return what was spent in a period, by some dimension."""
        from clearbar.own.workflow import UNATTRIBUTED
        from clearbar.spend.report import spend_report

        names, left = self._scored.workflow_of, UNATTRIBUTED
        return spend_report(self._reading, period, by, names, left, self.quarantined_records)

    def explain(self, period: Period) -> list[Explanation]:
        """Return which rule took each origin's charges."""
        return self._scored.explain(period)

    def dearest(self, period: Period) -> list[dict[str, Any]]:
        """Return the dearest charges of a period."""
        from clearbar.spend.report import dearest_charges

        return dearest_charges(self._reading, period)

    def trace(self, charge: str) -> Trace:
        """Return what is known of one charge, down to the bytes."""
        from clearbar.core.errors import UnknownName
        from clearbar.spend.trace import no_longer_known

        def explained(price_id: str) -> dict[str, str]:
            try:
                return self.book.explain(price_id)
            except UnknownName:
                return no_longer_known(price_id)

        kept = self.ledger.folder.path.parent
        return self._scored.trace(self.ledger.records_of(charge), explained, kept)

    @property
    def quarantined_records(self) -> int:
        """How many records were not taken in."""
        return len(self.problems())

    def problems(self) -> list[dict[str, Any]]:
        """Return the records that were not taken in."""
        from clearbar.spend.ingest import problems

        return problems(self.store)
