"""Score a tool that prints totals.

    python -m tests.conformance.run --tool 'COMMAND {files}' --reads claude_code,codex
    python -m tests.conformance.run --adapter clearbar

README.md says what the command is given and what it has to print. Exit code 1 where a case failed.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .case import CASES, cases
from .score import Abilities
from .tool import command, scored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .score import Verdict
    from .tool import Tool

ADAPTERS = Path(__file__).parent / "adapters"


def adapter(name: str, python: str = sys.executable, path: Path | None = None) -> Tool:
    """Return a tool from its script; the script's `ABILITIES` say what it reads and meets."""
    script = path or ADAPTERS / f"{name}.py"
    abilities = json.loads(script.with_suffix(".json").read_text(encoding="utf-8"))
    words = [python, str(script), "{formats}", "{declared}", "{state}"]
    text = " ".join(shlex.quote(word) for word in words) + " {files}"
    return command(name, text, Abilities(**{key: frozenset(abilities[key]) for key in abilities}))


def table(verdicts: Iterable[Verdict]) -> str:
    """Return the verdicts as text, the counts last."""
    verdicts = list(verdicts)
    width = max((len(one.case) for one in verdicts), default=0)
    rows = []
    for one in verdicts:
        first, *more = one.why or ("",)
        rows.append(f"{one.case:<{width}}  {one.outcome:<14}  {first}".rstrip())
        rows += [" " * (width + 18) + what for what in more]
    counts = [f"{outcome} {n}" for outcome, n in counted(verdicts).items()]
    return "\n".join([*rows, "", ", ".join(counts)])


def counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Return how many cases ended in which way."""
    counts = {"passed": 0, "failed": 0, "not applicable": 0}
    for one in verdicts:
        counts[one.outcome] += 1
    return counts


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def main(argv: list[str] | None = None) -> int:
    """Run the cases; return the exit code."""
    parser = argparse.ArgumentParser(description="Score a tool that prints totals of usage.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--tool", metavar="COMMAND", help="a command, with {files} in it")
    which.add_argument("--adapter", help="a ready adapter: " + ", ".join(_ready()))
    parser.add_argument("--python", default=sys.executable, help="the Python of the adapter")
    parser.add_argument("--reads", type=_words, default="", help="formats, comma separated")
    parser.add_argument("--needs", type=_words, default="", help="which needs of cases it meets")
    parser.add_argument("--asks", type=_words, default="reading,pricing", help="reading, pricing")
    parser.add_argument("--cases", type=Path, default=CASES, help="the folder of the cases")
    parser.add_argument("--only", metavar="TEXT", default="", help="cases with this in their name")
    parser.add_argument("--json", action="store_true", help="print JSON")
    said = parser.parse_args(argv)
    if said.adapter:
        tool = adapter(said.adapter, said.python)
    else:
        tool = command(said.tool, said.tool, Abilities(said.reads, said.needs, said.asks))
    chosen = [case for case in cases(said.cases) if said.only in case.name]
    verdicts = scored(tool, chosen)
    told = {"tool": tool.name, **counted(verdicts), "cases": [asdict(one) for one in verdicts]}
    sys.stdout.write((json.dumps(told, indent=2) if said.json else table(verdicts)) + "\n")
    return int(any(one.outcome == "failed" for one in verdicts))


def _ready() -> list[str]:
    return sorted(path.stem for path in ADAPTERS.glob("*.json"))


if __name__ == "__main__":
    sys.exit(main())
