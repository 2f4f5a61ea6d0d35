"""A certificate that is in force for what a workspace declares, without a trial."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.trial.certificates import asked, certificate

from clearbar.trial.certifying.certificate import save
from clearbar.trial.declaration import identity_today
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

CASES = '{"input": "hi", "reference": "yes"}\n' * 3
WORKFLOW = """
[[workflow]]
name = "{name}"
owner = "{name}-lead@example.com"
metric = {{ name = "score", unit = "ticket", from = "outcomes.csv" }}
bar = "score >= 0.5"

[[trial]]
workflow = "{name}"
cases = "cases.jsonl"
tools = [{tools}]
grade = {{ kind = "normalised" }}
"""
"""A workflow with a bar and a trial; its answers are the same whatever their case and space."""


def workflow(name: str, *tools: str) -> str:
    """Return what is declared of a workflow with a trial."""
    return WORKFLOW.format(name=name, tools=", ".join(f'"{each}"' for each in tools))


def certify(folder: Path, name: str, winner: str, **found: Any) -> None:
    """Save a certificate of the tool that won; `found` changes its finding."""
    with Workspace(folder) as workspace:
        today = identity_today(workspace._declaration(name), [winner], 0)
        finding = replace(asked(winner, "small", 0.99, "0.001"), **found)
        made = certificate(finding, incumbent=None, identity=today, winner=winner)
        save(workspace.store, replace(made, decided_at=datetime.now(UTC) - timedelta(hours=1)))
