"""The trial of ticket routing: its cases with logged answers, and the rules that are tried."""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files
from typing import TYPE_CHECKING

from clearbar.sample.text_files import json_line, write_lines
from clearbar.sample.tickets import tickets

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random


def write_trial(folder: Path, rng: Random) -> None:
    """Write `cases/ticket-routing.jsonl` and `tools/ticket-routing.toml` into the sample."""
    lines = (json_line(asdict(ticket)) for ticket in tickets(rng))
    write_lines(folder / "cases" / "ticket-routing.jsonl", lines)
    rules = files("clearbar.sample").joinpath("ticket_rules.toml").read_bytes()
    (folder / "tools").mkdir(exist_ok=True)
    (folder / "tools" / "ticket-routing.toml").write_bytes(rules)
