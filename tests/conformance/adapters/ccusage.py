"""Totals of ccusage: its native program, offline, on a home of its own.

    CCUSAGE=PROGRAM python ccusage.py FORMATS DECLARED STATE FILE...

It tells tokens and cost, and no calls. Its output leaves thoughts out where an agent tells them
beside it, while its total and its cost hold them; so output is the total less everything else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACES = {
    "claude_code": ("claude", "CLAUDE_CONFIG_DIR", "projects/ledger"),
    "codex": ("codex", "CODEX_HOME", "sessions/2026/09/14"),
    "gemini_cli": ("gemini", "GEMINI_DATA_DIR", "tmp/c0ffee/chats"),
    "opencode": ("opencode", "OPENCODE_DATA_DIR", "storage/message/ses_conformance0001"),
}
_INPUTS = {
    "input": "inputTokens",
    "cache_read": "cacheReadTokens",
    "cache_write": "cacheCreationTokens",
}


def answer(program: str, agent: str, home: Path, files: list[str]) -> dict[str, Any]:
    """Put the files where the agent would have written them; return what ccusage says."""
    verb, variable, place = _PLACES[agent]
    folder = home / place
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, folder)
    told = {"HOME": str(home), variable: str(home), "TZ": "UTC"}
    command = [program, verb, "daily", "--json", "--offline"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **told})
    report = json.loads(done.stdout)
    total = (report.get("totals") if isinstance(report, dict) else None) or {}
    tokens = {name: total.get(key, 0) for name, key in _INPUTS.items()}
    tokens["output"] = total.get("totalTokens", 0) - sum(tokens.values())
    cost = total.get("totalCost", total.get("costUSD", 0.0))
    unknown = not cost and any(_unpriced(report))
    return {"tokens": tokens, "cost_usd": None if unknown else float(cost)}


def _unpriced(report: Any) -> Iterator[bool]:
    """Yield, for each model of each day, whether ccusage says that it knows no price."""
    for day in report.get("daily", ()) if isinstance(report, dict) else ():
        for model in day.get("modelBreakdowns", ()):
            yield model.get("missingPricing", False)


def main() -> None:
    """Print the answer."""
    _, agent, _, state, *files = sys.argv
    program = os.environ.get("CCUSAGE", "ccusage")
    sys.stdout.write(json.dumps(answer(program, agent, Path(state), files)))


if __name__ == "__main__":
    main()
