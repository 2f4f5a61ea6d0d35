"""Stage 5 of a workspace: what a gateway has written, and what it is told of prices."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from clearbar.workspace.routing import Routing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clearbar.core.period import Period
    from clearbar.own.card import Scorecard, WorkflowCard
    from clearbar.own.scored_spend import ScoredSpend
    from clearbar.route.budgets.balances import Balance
    from clearbar.route.prices import PriceList
    from clearbar.route.route import RouteTable
    from clearbar.spend.reading import LedgerReading
    from clearbar.trial.trial import Certificate


class RouteFacts(Routing):
    """The budgets, the journals and the captured requests of a workspace."""

    def charge_journals(self) -> int:
        """Move what the gateway's journals say into the ledger; return how many charges are new."""
        from clearbar.route.journal.charges import charge_journal

        folder = self.route_folder / "journal"
        if not folder.is_dir():
            return 0
        return charge_journal(folder, self.ledger, self.book, self.store, self._clock())

    def scorecard(self, period: Period | None = None) -> Scorecard:
        """Return the scorecard of a period, with what routes save."""
        from clearbar.own.card_saving import days_passed, measured
        from clearbar.route.watching.saving_facts import measured_savings

        made = super().scorecard(period)
        level = self.declared.policy.interval_level
        found = measured_savings(self.ledger, self.store, made.period, level)

        def with_saving(card: WorkflowCard) -> WorkflowCard:
            if (saving := found.get(card.workflow.name)) is None:
                return card
            held_out, routed = saving.holdout, saving.routed
            shown = measured(
                saving.each_usd,
                saving.share,
                requests=(round(held_out.requests), round(routed.requests)),
                conversations=(held_out.units, routed.units),
                days=days_passed(card.days, self.as_of),
            )
            return replace(card, saving=shown)

        return replace(made, cards=tuple(map(with_saving, made.cards))) if found else made

    @cached_property
    def _reading(self) -> LedgerReading:
        """Read the ledger with all that went through the gateway up to now."""
        self.charge_journals()
        return super()._reading

    @cached_property
    def _scored(self) -> ScoredSpend:
        """Score the spend; a tool without a model stands in the ledger under its own name."""
        from clearbar.own.scored_spend import ScoredSpend
        from clearbar.own.workflow import TierRule

        declared = self.declared
        tools = (TierRule(each.name, each.tier) for each in declared.tools if not each.model)
        tiers = (*declared.tiers, *tools)
        return ScoredSpend(self._reading, self.store, declared.workflows, tiers)

    def budget_balances(self) -> Sequence[Balance]:
        """Return what every account that was ever used has left."""
        from clearbar.route.budgets.balances import balances
        from clearbar.route.budgets.opening import FILE, open_store

        settings = self.declared.gateway.settings
        if not settings.store_env and not (self.route_folder / FILE).exists():
            return []
        store = open_store(settings, self.route_folder, os.environ)
        try:
            return balances(store)
        finally:
            store.close()

    def price_list(self, table: RouteTable) -> PriceList:
        """Return the prices of all tools and models that a table of routes can lead to."""
        from clearbar.route.prices import PriceList

        return PriceList.of(
            self.book,
            table.tools.values(),
            self._now,
            overrides=self.declared.prices,
            seen=self._models_seen(),
        )

    def watched_certificates(
        self,
    ) -> Iterator[tuple[str, Certificate, str, dict[str, float | None]]]:
        """Yield by workflow the certificate that holds, its id, and how false alarms are bound."""
        from clearbar.route.declared_route import Watch
        from clearbar.trial.certifying.certificate import certificate_id

        watches = {each.workflow: each.watch for each in self.declared.routes}
        for name, known in self._certificates_in_force().items():
            if known.stale:
                continue
            watch = watches.get(name, Watch())
            bounds: dict[str, float | None] = {
                "false_alarm_days": watch.false_alarm_days,
                "run_length": watch.false_alarm_samples,
            }
            yield name, known.certificate, certificate_id(known.certificate), bounds

    def expire_captured(self) -> int:
        """Remove the captured requests whose time is over; return how many files."""
        from clearbar.route.capturing.files import expire

        days = {
            each.workflow: each.capture.days
            for each in self.declared.routes
            if each.capture is not None
        }
        return expire(self.route_folder / "captured", days, self.as_of)

    def _models_seen(self) -> set[tuple[str, str]]:
        """Return provider and model of what the ledger knows, such as dated names."""
        from clearbar.spend.engine import connect
        from clearbar.spend.storage.record_files import parquet_sql

        files = list(self.ledger.folder.origin_files().values())
        if not files:
            return set()
        connection = connect(self.ledger.folder.path / "staging", threads=1)
        try:
            rows = connection.execute(
                f"SELECT DISTINCT provider, model FROM {parquet_sql(files)}"  # noqa: S608 - our own paths, quoted
            ).fetchall()
        finally:
            connection.close()
        return {(provider, model) for provider, model in rows if provider and model}
