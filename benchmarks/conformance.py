"""The conformance suite on Clearbar, on ccusage and on LiteLLM's cost function: who is right.

    python benchmarks/conformance.py [--json]

Every tool gets the same files by its adapter in tests/conformance; what it cannot read is not
applicable to it. ccusage's native program comes from npm, once, into build/; LiteLLM from
.venv-litellm (`make litellm`). Where one is absent, it is left out and said so.

Fails when Clearbar fails a case.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ingest import CCUSAGE, installed_ccusage

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.conformance.case import cases  # noqa: E402 - the suite lies beside this folder
from tests.conformance.run import adapter, counted  # noqa: E402
from tests.conformance.tool import scored  # noqa: E402

if TYPE_CHECKING:
    from tests.conformance.score import Verdict
    from tests.conformance.tool import Tool

LITELLM = ROOT / ".venv-litellm/bin/python"
_VERSION = "from importlib.metadata import version; print(version('litellm'))"
Scores = dict[str, list["Verdict"]]


def tools() -> dict[str, Tool]:
    """Return the tools that are here, by name and version."""
    found = {"clearbar": adapter("clearbar")}
    try:
        os.environ["CCUSAGE"] = str(installed_ccusage())
        found[f"ccusage {CCUSAGE}"] = adapter("ccusage")
    except (OSError, KeyError, subprocess.CalledProcessError) as problem:
        print(f"ccusage is left out: {problem}", file=sys.stderr)
    if LITELLM.exists():
        asked = subprocess.run([LITELLM, "-c", _VERSION], check=True, stdout=subprocess.PIPE)
        version = asked.stdout.decode().strip()
        found[f"litellm {version} (cost function)"] = adapter("litellm_cost", str(LITELLM))
    else:
        print("LiteLLM is left out: make litellm", file=sys.stderr)
    return found


def show(scores: Scores) -> None:
    """Print the counts of each tool, then each failure."""
    width = max(map(len, scores))
    print(f"{'':<{width}}  passed  failed  not applicable  of those that apply")
    for name, verdicts in scores.items():
        passed, failed, beyond = counted(verdicts).values()
        share = f"{passed / (passed + failed):.0%}" if passed + failed else "-"
        print(f"{name:<{width}}{passed:>8}{failed:>8}{beyond:>16}{share:>21}")
    for name, verdicts in scores.items():
        for one in verdicts:
            if one.outcome == "failed":
                print(f"\n{name}: {one.case}")
                print("\n".join(f"  {why}" for why in one.why))


def main() -> None:
    """Score all tools; exit 1 when Clearbar fails a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    suite = cases()
    scores = {name: scored(tool, suite) for name, tool in tools().items()}
    if as_json:
        print(json.dumps({name: list(map(asdict, found)) for name, found in scores.items()}))
    else:
        show(scores)
    failed = [one.case for one in scores["clearbar"] if one.outcome == "failed"]
    for name in failed:
        print(f"BROKEN: {name}", file=sys.stderr)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
