"""Stage 2 of a workspace: own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from clearbar.core.errors import UnknownName, nearest
from clearbar.core.period import ALL, Period, last_days
from clearbar.workspace.opened import DECLARED
from clearbar.workspace.spending import Spending

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from clearbar.own.card import Scorecard
    from clearbar.own.merged.history import MergedWork
    from clearbar.own.outcome_reading import OutcomesRead
    from clearbar.own.proposal import Proposal
    from clearbar.own.workflow import Workflow


class Owning(Spending):
    """Who owns what, and what it produced."""

    def workflow(self, name: str) -> Workflow:
        """Return a declared workflow.

        Raises:
            UnknownName: when none has this name.
        """
        names = {workflow.name: workflow for workflow in self.declared.workflows}
        if name not in names:
            close = nearest(name, names)
            raise UnknownName(f'no workflow is called "{name}".{close}', "see clearbar.toml")
        return names[name]

    def add_outcomes(self, paths: Sequence[Path]) -> OutcomesRead:
        """Read files of outcomes."""
        from clearbar.own.outcome_reading import add_files

        return add_files(self.store, paths, self._clock())

    def outcome(self, workflow: str, task_id: str, score: float, **said: Any) -> bool:
        """Record one outcome; return whether it is new."""
        from clearbar.own.outcome import Outcome
        from clearbar.own.outcomes import append

        self.workflow(workflow)
        scored_at = said.pop("scored_at", None) or self._clock()
        made = Outcome(workflow, task_id, score, scored_at=scored_at, **said)
        return append(self.store, [made], self._clock()).new == 1

    def add_declared_outcomes(self) -> OutcomesRead:
        """Read what is new in `outcomes/` and in the files that metrics name."""
        from clearbar.own.outcome_reading import add_changed_files, named_files

        named = {each.metric.source for each in self.declared.workflows if each.metric}
        paths = {path for text in {"outcomes/*", *named} for path in named_files(self.folder, text)}
        return add_changed_files(self.store, sorted(paths), self._clock())

    def merged_work(
        self,
        repository: Path,
        workflow: str,
        branch: str | None = None,
        since: date | None = None,
        *,
        record: bool = True,
    ) -> MergedWork:
        """Join a workflow's spend to what was merged in a git repository; record the outcomes.

        Without `since`, the merges of the last 90 days are read.
        """
        from pathlib import PurePosixPath

        from clearbar.own.merged.history import MergedWork, read_history
        from clearbar.own.merged.joining import Used, join
        from clearbar.own.merged.outcomes import outcomes_of
        from clearbar.own.outcomes import append

        self.workflow(workflow)
        chosen = Period(since or self.as_of - timedelta(days=90), ALL.end)
        history = read_history(repository, branch, chosen.start)
        origins = self._reading.origins
        used = (
            Used(origins[key], day, usage)
            for (key, day), usage in self._reading.by_origin_and_day(chosen).items()
            if self._scored.workflow_of[key] == workflow
        )
        joined = join(history.changes, used, PurePosixPath(history.root), history.branch)
        if not record:
            return MergedWork(history, joined, (0, 0))
        made = outcomes_of(joined, workflow, history.root.name, history.branch)
        appended = append(self.store, made, self._clock())
        return MergedWork(history, joined, (appended.new, appended.known))

    def proposals(self, period: Period = ALL) -> list[Proposal]:
        """Return entries of clearbar.toml for unattributed spend, as text to review."""
        from clearbar.own.proposal import propose

        names = (workflow.name for workflow in self.declared.workflows)
        return propose(self.explain(period), names)

    def propose_workflows(self) -> int:
        """Append workflows for unattributed spend to clearbar.toml; return how many there are."""
        self.declare("".join(each.text for each in self.proposals()))
        return len(self.declared.workflows)

    def declare(self, text: str) -> None:
        """Append entries to clearbar.toml."""
        with (self.folder / DECLARED).open("a", encoding="utf-8") as file:
            file.write(text)
        self.__dict__.pop("declared", None)
        self._forget()

    @property
    def period(self) -> Period:
        """The days before `as_of` on which verdicts rest."""
        return last_days(self.declared.policy.window_days, self.as_of)

    def follow_the_ledger(self) -> date | None:
        """Judge as of the day after the newest charge, if the days before `as_of` hold none.

        Return that day, or None where nothing had to change or the day was given.
        """
        newest = max(self._reading.by_day(ALL), default=None)
        if self._as_of or self.declared.as_of or newest is None or newest >= self.period.start:
            return None
        self._as_of = newest + timedelta(days=1)
        return self._as_of

    def scorecard(self, period: Period | None = None) -> Scorecard:
        """Return the scorecard of a period; None is the one that verdicts rest on."""
        from clearbar.gate.docket_entries import last_defences
        from clearbar.gate.gather import budget_month
        from clearbar.own.scored_spend import Question

        chosen = period or self.period
        month = budget_month(self.as_of)
        question = Question(chosen, self.as_of, month, self.declared.policy.interval_level)
        defences = last_defences(self.store, self.as_of)
        return self._scored.scorecard(question, defences, self.quarantined_records)
