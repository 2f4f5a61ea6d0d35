"""The text of clearbar.toml for a workflow of letters and tools that a loopback server answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def workflow(bar: str) -> str:
    """Declare the workflow `letters`, whose outcomes no test writes."""
    return f"""
[[workflow]]
name = "letters"
metric = {{ name = "right", unit = "letter", from = "outcomes/letters.csv" }}
bar = "{bar}"
"""


def endpoint(name: str, url: str) -> str:
    """Declare a tool with a price, whose answers are short."""
    return f"""
[[tool]]
name = "{name}"
kind = "openai"
model = "{name}"
url = "{url}"
input_usd_per_million = "1"
output_usd_per_million = "2"
settings = {{ max_tokens = 8 }}
"""


def trial(tool: str, *settings: str) -> str:
    """Declare the trial of one tool."""
    lines = "\n".join(settings)
    return f"""
[[trial]]
workflow = "letters"
cases = "cases.jsonl"
tools = ["{tool}"]
{lines}
"""


def write_cases(folder: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write the cases of the trial."""
    (folder / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)))
