"""Stage 1 of a workspace: spend."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from clearbar.workspace.opened import Opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from clearbar.core.period import Period
    from clearbar.own.explanation import Explanation
    from clearbar.spend.anomalies import Anomalies
    from clearbar.spend.ingest import Progress, Summary
    from clearbar.spend.prices.price_sources import Differs, PriceRow
    from clearbar.spend.pull.pulling import Pulled, Shown
    from clearbar.spend.reconciliation import Reconciliation
    from clearbar.spend.reconciling.closing import ClosedEntry
    from clearbar.spend.report import SpendReport
    from clearbar.spend.repricing.price_logs import ModelMonth
    from clearbar.spend.trace import Trace


class Spending(Opened):
    """What AI cost."""

    def add(self, paths: Sequence[str], progress: Progress | None = None) -> Summary:
        """Read usage files into the ledger."""
        from clearbar.spend.files.candidates import candidates
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
        from clearbar.spend.pull.kept import only_one, place_of
        from clearbar.spend.pull.pulling import pull

        named, root = api_named(api), self.ledger.folder.path.parent
        place = place_of(root, named.name, account)
        with (
            Fetcher(named, environment, time.sleep, random.random, self._clock) as fetcher,
            only_one(place),
        ):
            pulled = pull(named, fetcher, root, account, since, self._clock, shown)
            return pulled, self.add([str(place)])

    def reprice(self, period: Period, edition: str | None = None) -> int:
        """Price the charges of a period again; return how many records have another price.

        `edition` names a price book that was kept, or a file or folder of one; None is today's.
        """
        from clearbar.spend.prices.book import PriceBook
        from clearbar.spend.repricing.reprice import reprice

        book, declared = self.book, self.declared
        if edition is not None:
            kept, rules = book.path.parent, (declared.prices, declared.agreements)
            book = PriceBook.edition(edition, kept, Path.cwd(), *rules)
        self._forget()
        return reprice(self.ledger, book, period, int(self._clock().timestamp() * 1_000_000))

    def prices(self, model: str | None = None) -> list[PriceRow]:
        """Return what the models that calls name cost today, or one model at all times."""
        from clearbar.spend.prices.price_sources import price_rows
        from clearbar.spend.prices.unknown_model import refuse_unknown

        models = self._models(model)
        if model:
            refuse_unknown(self.book, model, models)
        return price_rows(self.book, models, None if model else self.as_of)

    def prices_against(self, table: Path, model: str | None, period: Period) -> list[Differs]:
        """Return where the price book and LiteLLM's table in a file say different things."""
        from clearbar.spend.prices.litellm_prices import read_litellm_prices
        from clearbar.spend.prices.price_sources import differing
        from clearbar.spend.prices.unknown_model import refuse_unknown
        from clearbar.spend.repricing.price_use import standard_use

        used, models = standard_use(self.ledger, period), self._models(model)
        listed = read_litellm_prices(table)
        if model:
            refuse_unknown(self.book, model, models, listed)
        return differing(self.book, listed, models, used, self.as_of)

    def recorded_against_book(self, model: str | None, period: Period) -> list[ModelMonth]:
        """Return what calls cost as recorded and by the price book, by model and month."""
        from clearbar.spend.repricing.price_logs import recorded_against_book
        from clearbar.spend.repricing.price_use import refuse_unused

        if model:
            refuse_unused(self.ledger, model)
        found = recorded_against_book(self.ledger, self.book, period)
        return [row for row in found if model in (None, row.model, f"{row.provider}/{row.model}")]

    def _models(self, model: str | None) -> list[tuple[str, str]]:
        """Return provider and model of all that calls name, or of one that a person names."""
        from clearbar.spend.prices.unknown_model import pair_named
        from clearbar.spend.repricing.price_use import models_named, models_used

        if model is None:
            return models_used(self.ledger)
        return models_named(self.ledger, model) or [pair_named(self.book, model)]

    def models(self) -> list[str]:
        """Return the models that calls name, as `spend prices` takes them: provider/model."""
        from clearbar.spend.repricing.price_use import models_used

        return ["/".join(filter(None, pair)) for pair in models_used(self.ledger)]

    def price_versions(self) -> list[str]:
        """Return the versions of the price books that are kept, each without the book's name."""
        from clearbar.spend.prices.price_edition import editions

        return [each.version.rpartition(" ")[2] for each in editions(self.book.path.parent)]

    def pulled_accounts(self, api: str) -> list[str]:
        """Return the accounts that an API was pulled for, in their order."""
        from clearbar.spend.pull.kept import FOLDER

        places = self.ledger.folder.path.parent.joinpath(FOLDER).glob(f"{api}@*")
        return sorted(place.name.partition("@")[2] for place in places)

    def spend(self, period: Period, by: str) -> SpendReport:
        """Return what was spent in a period, by some dimension."""
        from clearbar.own.workflow import UNATTRIBUTED
        from clearbar.spend.report import spend_report

        names, left = self._scored.workflow_of, UNATTRIBUTED
        return spend_report(self._reading, period, by, names, left, self.quarantined_records)

    def export(
        self, period: Period, form: str, by: str | None, output: Path | None, stream: IO[str]
    ) -> int:
        """Write charges to a file, or as CSV to a stream; return how many rows."""
        from functools import cache

        from clearbar.core.errors import UnknownName
        from clearbar.own.workflow import UNATTRIBUTED
        from clearbar.spend.export.charges import Charges
        from clearbar.spend.export.run import export

        @cache
        def explained(price_id: str) -> dict[str, str]:
            try:
                return self.book.explain(price_id)
            except UnknownName:
                return {}

        names = self._scored.workflow_of
        charges = Charges(self.ledger, self._reading, names, UNATTRIBUTED)
        scratch = self.ledger.folder.path / "staging"
        return export(charges, period, form, by, output, stream, explained, scratch)

    def close_month(self, month: Period) -> list[ClosedEntry]:
        """Close a month: what is reported of it stays; return all that was closed and corrected."""
        from clearbar.own.closed_spend import close_month

        self._refuse_another_day()
        self._reading  # noqa: B018 - what trials and the gateway have spent is in the ledger then
        reading, workflow_of = self._live(month.end)
        close_month(self.ledger, self.store, reading, workflow_of, month, self._clock())
        self._forget()
        return self.closings()

    def closings(self) -> list[ClosedEntry]:
        """Return the closed months and what corrected them, in order."""
        from clearbar.spend.reconciling.closing import entries

        return entries(self.store)

    def months(self) -> list[str]:
        """Return the months that have charges, such as 2026-10, in their order."""
        charges = self.ledger.charges(("charge_id", "day"))
        if charges is None:
            return []
        days = self.ledger.engine.rows(charges.select("day").unique())
        return sorted({f"{day:%Y-%m}" for [day] in days})

    def months_to_close(self) -> list[str]:
        """Return the months with charges that are over and not closed yet, in their order."""
        closed = {each.month for each in self.closings() if each.kind == "close"}
        this_month = f"{self._clock():%Y-%m}"
        return [month for month in self.months() if month < this_month and month not in closed]

    def reconciliation(self, period: Period) -> Reconciliation:
        """Return how bills, aggregates and logs of a period agree."""
        from clearbar.spend.reconciliation import reconciliation

        self._reading  # noqa: B018 - what trials and the gateway have spent is in the ledger then
        return reconciliation(self._read(), period)

    def anomalies(self, period: Period) -> Anomalies:
        """Return the calls of a period that cost far more than is usual for their workflow."""
        return self._reading.anomalies(period, self._scored.workflow_of)

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

        def explained(price_id: str, day: date) -> dict[str, str]:
            try:
                return self.book.explain(price_id, day)
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
