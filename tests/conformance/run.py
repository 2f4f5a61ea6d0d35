"""Score a tool that prints totals.

    python -m tests.conformance.run --tool 'COMMAND {files}' --reads claude_code,codex
    python -m tests.conformance.run --adapter clearbar

    python -m tests.conformance.run --list

README.md says what the command is given and what it has to print. Exit code 1 where a case failed,
2 where the runner was asked for something that there is not.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .case import CASES, FORMAT, cases
from .score import Abilities
from .tool import command, scored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .case import Case
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


def listed(chosen: Iterable[Case]) -> str:
    """Return what each case is about, and what a tool needs for it."""
    rows = []
    for case in chosen:
        needs = "".join(f", needs {need}" for need in case.needs)
        rows += [f"{case.name}: {', '.join(case.formats)}; {case.asks}{needs}", f"    {case.title}"]
    return "\n".join(rows)


def faults(tool: str, able: Abilities, suite: Iterable[Case]) -> list[str]:
    """Return what was said of a tool and is in no case: it would pass for not applicable."""
    suite = list(suite)
    known = {
        "reads": {name for case in suite for name in case.formats},
        "needs": {name for case in suite for name in case.needs},
        "asks": {case.asks for case in suite},
    }
    said = {"reads": able.reads, "needs": able.needs, "asks": able.asks}
    found = [
        f"--{option}: no case knows {name}; known are {', '.join(sorted(known[option]))}"
        for option, names in said.items()
        for name in sorted(names - known[option])
    ]
    return found if "{files}" in tool else [*found, "--tool: {files} is missing"]


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def main(argv: list[str] | None = None) -> int:
    """Run the cases; return the exit code."""
    parser = argparse.ArgumentParser(description="Score a tool that prints totals of usage.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--tool", metavar="COMMAND", help="a command, with {files} in it")
    which.add_argument("--adapter", help="a ready adapter: " + ", ".join(_ready()))
    which.add_argument("--list", action="store_true", help="say what the cases are about")
    parser.add_argument("--python", default=sys.executable, help="the Python of the adapter")
    parser.add_argument("--reads", type=_words, default="", help="formats, comma separated")
    parser.add_argument("--needs", type=_words, default="", help="which needs of cases it meets")
    parser.add_argument("--asks", type=_words, default="reading,pricing", help="reading, pricing")
    parser.add_argument("--cases", type=Path, default=CASES, help="the folder of the cases")
    parser.add_argument("--only", metavar="TEXT", default="", help="cases with this in their name")
    parser.add_argument("--json", action="store_true", help="print JSON")
    said = parser.parse_args(argv)
    suite = cases(said.cases)
    chosen = [case for case in suite if said.only in case.name]
    if said.list:
        sys.stdout.write(listed(chosen) + "\n")
        return 0
    if said.adapter:
        tool = adapter(said.adapter, said.python)
    else:
        able = Abilities(said.reads, said.needs, said.asks)
        tool = command(said.tool, said.tool, able)
        if wrong := faults(said.tool, able, suite):
            parser.error("; ".join(wrong))
    verdicts = scored(tool, chosen)
    told = {"tool": tool.name, "format": FORMAT, **counted(verdicts)}
    told["cases"] = [asdict(one) for one in verdicts]
    sys.stdout.write((json.dumps(told, indent=2) if said.json else table(verdicts)) + "\n")
    return int(any(one.outcome == "failed" for one in verdicts))


def _ready() -> list[str]:
    return sorted(path.stem for path in ADAPTERS.glob("*.json"))


if __name__ == "__main__":
    sys.exit(main())
