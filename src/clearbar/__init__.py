"""Clearbar: what each AI workflow costs, who owns it, and whether to fund, pause or kill it.

Importing it loads nothing but this file: what it offers is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from clearbar.workspace import Workspace

__all__ = ["Workspace", "outcome"]


def outcome(
    workflow: str,
    task_id: str,
    score: float,
    *,
    said_by: str,
    worth_usd: Decimal | None = None,
    scored_at: datetime | None = None,
    workspace: str | Path | None = None,
) -> bool:
    """Record one outcome in the nearest workspace, or in a named one; return whether it is new.

    `score` is in [0, 1]; a failure is an outcome too. `scored_at` needs a zone; None is now.

    Raises:
        ClearbarError: when there is no workspace, no such workflow, or a value is out of its range.
    """
    from clearbar.workspace import Workspace  # noqa: PLC0415 - importing clearbar loads nothing

    with Workspace.find(workspace) as opened:
        return opened.outcome(
            workflow, task_id, score, said_by=said_by, worth_usd=worth_usd, scored_at=scored_at
        )


def __getattr__(name: str) -> Any:
    if name == "Workspace":
        from clearbar.workspace import Workspace  # noqa: PLC0415 - as above

        return Workspace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "Workspace"]
