"""Changes that were paid for, as outcomes: merged is 1, taken back is 0. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.money import plain
from clearbar.own.merged.joining import HOW
from clearbar.own.outcome import Outcome
from clearbar.spend.report import usage_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clearbar.own.merged.change import Change
    from clearbar.own.merged.joining import Joined

FIELD_DOCS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "repository": "The name of the repository's folder.",
        "branch": "The branch into which work is merged.",
        "workflow": "Whose spend was joined.",
        "new": "Outcomes that were recorded; 0 with --dry-run.",
        "known": "Outcomes that were recorded before.",
        "changes": "The changes with spend, the oldest first.",
        "changes[].sha": "The commit on the branch.",
        "changes[].branch": "Where it was made; empty where the history does not say.",
        "changes[].merged_at": "When it was merged, in UTC.",
        "changes[].reverted_at": "When it was taken back; null where it stands.",
        "changes[].cost_usd": "What was spent on it, as text.",
        "coverage": "All spend of the workflow, by how it was joined to changes.",
        "coverage.branch": "Joined by branch.",
        "coverage.folder": "Joined by folder and time.",
        "coverage.several": "Not joined: several changes were being made there.",
        "coverage.not_merged": "Not joined: nothing was merged of it.",
        "coverage.elsewhere": "Not of this repository, or its log does not say where.",
    }
)
"""Every field of `merged_json`; each part of the coverage has the fields of `Usage`."""


def outcomes_of(joined: Joined, workflow: str, repository: str, branch: str) -> Iterator[Outcome]:
    """Yield the outcomes of the changes that spend was joined to.

    A change that nobody paid for is no outcome of the workflow: people made it. The task is called
    by its commit alone, which is the same in every clone, worktree and fork, under any name.
    """
    uri = f"{repository} ({branch})"
    for change, _ in joined.changes:
        for turn, moment in enumerate((change.merged_at, *change.turns)):
            yield Outcome(workflow, f"git@{change.task}", (turn + 1) % 2, moment, "git", uri=uri)


def merged_json(
    joined: Joined, workflow: str, repository: str, branch: str, recorded: tuple[int, int]
) -> dict[str, Any]:
    """Return the join as JSON values; `recorded` are the new and the known outcomes."""
    new, known = recorded
    return {
        "repository": repository,
        "branch": branch,
        "workflow": workflow,
        "new": new,
        "known": known,
        "changes": [_change_json(change, plain(use.cost_usd)) for change, use in joined.changes],
        "coverage": {how: usage_json(joined.coverage[how]) for how in HOW},
    }


def _change_json(change: Change, cost_usd: str) -> dict[str, Any]:
    return {
        "sha": change.sha,
        "branch": change.branch,
        "merged_at": change.merged_at.isoformat(),
        "reverted_at": change.reverted_at and change.reverted_at.isoformat(),
        "cost_usd": cost_usd,
    }
