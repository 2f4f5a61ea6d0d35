"""The docs say what the program does, name all that it has, and lead nowhere that is not there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from clearbar.cli import route_budgets
from clearbar.cli.main import cli
from clearbar.core.errors import Problem
from clearbar.core.period import ALL, month_of
from clearbar.declared import REFERENCE
from clearbar.gate.policy import policy_table
from clearbar.own import proposal
from clearbar.own.card_json import USAGE_DOCS
from clearbar.own.merged.change import Change
from clearbar.own.merged.joining import Used, join
from clearbar.own.merged.outcomes import FIELD_DOCS as MERGED_DOCS
from clearbar.own.merged.outcomes import merged_json
from clearbar.route.budgets.balances import Balance
from clearbar.spend import anomalies, ingest, report, trace
from clearbar.spend.charge import Origin, label_text
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.pull import pulling
from clearbar.spend.sources import SOURCES
from clearbar.spend.usage import Usage
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def reference(name: str) -> str:
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


def commands(command: click.Command, path: str) -> Iterator[str]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            if inner.hidden:
                continue
            yield from commands(inner, f"{path} {name}")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.slow
@pytest.mark.parametrize("part", ["README.md", "docs/reference", "docs/how-to", "docs/why"])
def test_what_the_docs_show_is_what_the_program_says_today(part: str) -> None:
    program = [sys.executable, str(DOCS / "generate.py"), "--check", str(ROOT / part)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("path", list(commands(cli, "clearbar")))
def test_every_command_has_a_section_in_the_reference(path: str) -> None:
    heading = path.removesuffix(" show").removesuffix(" run")  # what a group does by default
    assert re.search(rf"^#+ {heading}$", reference("command-line.md"), re.MULTILINE)


def test_every_key_of_the_declared_file_is_in_the_reference() -> None:
    text = reference("clearbar-toml.md")
    assert [doc.name for doc in REFERENCE if doc.table and f"| `{doc.name}`" not in text] == []


def test_every_source_has_a_section_in_the_reference() -> None:
    text = reference("sources.md")
    assert [source.NAME for source in SOURCES if f"\n## {source.NAME}\n" not in text] == []


def test_every_rule_of_the_gate_is_in_the_reference() -> None:
    text = reference("gate.md")
    missing = [
        rule for decision, rule, _ in policy_table() if f"| {decision} | `{rule}`" not in text
    ]
    assert missing == []


REFUSING = re.compile(r'\bRefus(?:al|ed)\(\s*(?:[^"()]*,\s*)?"([a-z_]+)"')


def test_every_code_of_a_refusal_and_every_header_is_in_the_reference() -> None:
    text = reference("gateway.md")
    code = [path.read_text(encoding="utf-8") for path in ROOT.glob("src/clearbar/route/**/*.py")]
    codes = {found for each in code for found in REFUSING.findall(each)}
    headers = {found for each in code for found in re.findall(r'b"(x-clearbar-[a-z-]*\w)"', each)}
    assert len(codes) > 20
    assert "x-clearbar-tool" in headers
    assert [each for each in sorted(codes | headers) if f"| `{each}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    broken = []
    for target, anchor in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


def test_every_page_of_the_docs_is_linked_from_the_readme() -> None:
    linked = {
        (ROOT / target).resolve()
        for target, _ in LINK.findall((ROOT / "README.md").read_text("utf-8"))
    }
    assert [page.name for page in DOCS.rglob("*.md") if page not in linked] == []


def test_the_architecture_fits_on_two_pages() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_source_of_the_how_to_reads_its_sample_as_the_how_to_says(tmp_path: Path) -> None:
    page = (DOCS / "how-to" / "add-a-source.md").read_text(encoding="utf-8")
    blocks = dict(
        re.findall(r"^```(python|jsonl|json)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    )
    path, module = tmp_path / "requests.jsonl", tmp_path / "acme.py"
    path.write_text(blocks["jsonl"], encoding="utf-8")
    module.write_text(blocks["python"], encoding="utf-8")
    spec = spec_from_file_location("acme", module)
    assert spec is not None
    assert spec.loader is not None
    acme = module_from_spec(spec)
    spec.loader.exec_module(acme)
    file = open_source_file(path)
    told = [
        {
            "source": acme.NAME,
            "problem" if isinstance(item, Problem) else "record": msgspec.to_builtins(item),
        }
        for item in acme.read(file)
    ]
    assert acme.recognises(file)
    assert told == json.loads(blocks["json"])


TOML = """
[[workflow]]
name = "support"
metric = { name = "score", unit = "task", from = "outcomes.csv" }
bar = "score >= 0.9"

[[tool]]
name = "rules"
kind = "rules"
file = "rules.toml"

[[trial]]
workflow = "support"
cases = "cases.jsonl"
tools = ["rules"]
grade = { kind = "exact" }

[[table]]
name = "acme"
files = "*.csv"
columns = { started_at = "at", model = "model", input_tokens = "tokens", cost_usd = "usd" }
constants = { provider = "acme" }
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "clearbar.toml").write_text(TOML, encoding="utf-8")
    (folder / "rules.toml").write_text('[[rule]]\nregex = "a"\nanswer = "b"\n', encoding="utf-8")
    (folder / "cases.jsonl").write_text('{"input": "a", "reference": "b"}\n', encoding="utf-8")
    rows = ["at,model,tokens,usd", "2026-10-05,acme-7,10,0.1", "2026-10-05,acme-7,-1,0.1"]
    (folder / "acme.csv").write_text("\n".join(rows), encoding="utf-8")
    with Workspace.find(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def summary(workspace: Workspace) -> dict[str, Any]:
    return ingest.summary_json(workspace.add([str(workspace.folder / "acme.csv")]))


def fields(value: object, path: str = "", usage: Collection[str] = USAGE_DOCS) -> set[str]:
    """Paths of a JSON value, down to the sums that `usage` names."""
    if isinstance(value, list):
        return {found for each in value for found in fields(each, f"{path}[]", usage)}
    if not isinstance(value, dict) or path in ("origin", "price"):
        return {path}
    below = {name: each for name, each in value.items() if name not in usage or not path}
    found = {path} if len(below) < len(value) and not path.endswith("[]") else set[str]()
    for name, each in below.items():
        found |= fields(each, f"{path}.{name}" if path else name, usage)
    return found


def documented(docs: Mapping[str, str]) -> set[str]:
    """Paths that are no more than the table above others."""
    return {path for path in docs if not any(other.startswith(f"{path}[]") for other in docs)}


@pytest.mark.slow
def test_what_an_add_answers_is_documented_field_by_field(summary: dict[str, Any]) -> None:
    assert summary.keys() == ingest.FIELD_DOCS.keys()


BILLED_TOML = """
[[table]]
name = "calls"
files = "calls.csv"
columns = { started_at = "at", model = "model", input_tokens = "tokens", cost_usd = "usd" }
constants = { provider = "anthropic" }

[[plan]]
name = "seats"
provider = "anthropic"
only = { source = "claude_code" }
from = 2026-01-01
usd_per_month = "31"
source = "order form"
"""
COVERED = {
    "type": "assistant",
    "timestamp": "2026-01-06T09:00:00.000Z",
    "sessionId": "session-1",
    "uuid": "1",
    "message": {
        "id": "msg_01AAAAAAAAAAAAAAAAAAAAAA",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 10},
    },
}
COSTS = (
    "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,"
    "list_price_usd,cost_type\n"
)
COST = "2026-01-0{},Claude Opus 4.6,Default,key,message,any,output,{},{},token\n"


@pytest.fixture(scope="module")
def reconciled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A month with calls, a plan, an odd one out and a bill; closed, and billed again."""
    folder = tmp_path_factory.mktemp("reconciled")
    (folder / "clearbar.toml").write_text(BILLED_TOML, encoding="utf-8")
    rows = [f"2026-01-05T10:00:{n % 60:02},m,{n},0.1" for n in range(120)]
    rows = ["at,model,tokens,usd", *rows, "2026-01-05T12:00:00,m,9,90"]
    (folder / "calls.csv").write_text("\n".join(rows), encoding="utf-8")
    (folder / "session.jsonl").write_text(json.dumps(COVERED) + "\n", encoding="utf-8")
    (folder / "costs.csv").write_text(COSTS + COST.format(5, "110", "110"), encoding="utf-8")
    (folder / "later.csv").write_text(COSTS + COST.format(6, "7", "7"), encoding="utf-8")
    with Workspace.find(folder) as opened:
        opened.add([str(folder / name) for name in ("calls.csv", "session.jsonl", "costs.csv")])
        opened.close_month(month_of(date(2026, 1, 1)))
        opened.add([str(folder / "later.csv")])
        yield opened


@pytest.mark.slow
def test_spend_is_documented_field_by_field(reconciled: Workspace) -> None:
    answer = report.report_json(reconciled.spend(ALL, "model"))
    covered = {f"covered[].{name}" for each in answer["covered"] for name in each}
    assert fields(answer) | covered == documented(report.FIELD_DOCS)


@pytest.mark.slow
def test_an_anomaly_is_documented_field_by_field(reconciled: Workspace) -> None:
    answer = anomalies.anomalies_json(reconciled.anomalies(ALL))
    assert fields(answer, usage=()) == documented(anomalies.FIELD_DOCS)


@pytest.mark.slow
def test_a_proposal_is_documented_field_by_field(reconciled: Workspace) -> None:
    answer = {"proposals": [each.json() for each in reconciled.proposals(ALL)]}
    assert answer["proposals"]
    assert fields(answer) == documented(proposal.FIELD_DOCS)


def test_a_series_of_a_pull_is_documented_field_by_field() -> None:
    told = {f"series[].{name}" for name in pulling.Pulled("costs").json()}
    assert told == {path for path in pulling.FIELD_DOCS if path.startswith("series[].")}


def test_merged_work_is_documented_field_by_field() -> None:
    began, merged = (datetime(2026, 9, day, tzinfo=UTC) for day in (1, 5))
    change = Change("sha", "sha", "change-1", began, merged, frozenset({""}))
    labels = label_text({"cwd": "/home/dev/shop", "branch": "change-1"})
    usage = Usage(calls=1, cost_usd=Decimal(1))
    used = Used(Origin("claude_code", labels=labels), date(2026, 9, 3), usage)
    joined = join([change], [used], PurePosixPath("/home/dev/shop"), "main")
    answer = merged_json(joined, "coding", "shop", "main", (1, 0))
    coverage = {name for name in MERGED_DOCS if name.startswith("coverage")}
    assert {f"coverage.{how}" for how in answer.pop("coverage")} | {"coverage"} == coverage
    assert fields(answer, usage=()) == documented(MERGED_DOCS) - coverage


@pytest.mark.slow
def test_a_trace_is_documented_field_by_field(
    workspace: Workspace, summary: dict[str, Any]
) -> None:
    assert summary["new"] == 1
    [dearest] = workspace.dearest(ALL)
    answer = trace.trace_json(workspace.trace(dearest["charge_id"]))
    assert dearest.keys() == report.CHARGE_DOCS.keys()
    assert set(answer) == {path for path in trace.FIELD_DOCS if "[]" not in path}
    for name in ("lines", "witnesses"):
        told = {f"{name}[].{field}" for field in answer[name][0]}
        assert told == {path for path in trace.FIELD_DOCS if path.startswith(f"{name}[].")}


@pytest.mark.slow
def test_a_problem_is_documented_field_by_field(
    workspace: Workspace, summary: dict[str, Any]
) -> None:
    assert summary["quarantined"] == 1
    assert [problem.keys() for problem in workspace.problems()] == [ingest.PROBLEM_DOCS.keys()]


WORDS = tomllib.loads((DOCS / "reference_words.toml").read_text(encoding="utf-8"))
SMALL = {
    "init": ["new"],
    "spend --explain": [],
    "spend reprice": [],
    "spend export": ["--output", "charges.csv"],
    "own outcome add": ["outcomes.csv"],
    "trial label": ["support", "--by", "Head of Support"],
    "gate --check": [],
    "gate defend": ["support", "--by", "Head of Support", "--why", "It is used"],
    "gate override": [
        "support",
        "pause",
        "--by",
        "CFO",
        "--why",
        "It is dear",
        "--until",
        "2999-01-01",
    ],
    "gate history": ["support"],
    "route key create": ["support", "--by", "Head of Support"],
    "route key list": [],
    "route capture forget": ["support", "--yes"],
    "route capture key": [],
    "check": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("command", SMALL)
def test_a_small_answer_has_the_fields_that_the_reference_names(
    workspace: Workspace,
    summary: dict[str, Any],
    command: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert summary["new"] == 1
    monkeypatch.chdir(workspace.folder)
    Path("outcomes.csv").write_text("workflow,task_id,score,at\n", encoding="utf-8")
    done = CliRunner().invoke(cli, [*command.split(), *SMALL[command], "--json"])
    assert list(json.loads(done.stdout)) == WORDS["small_answers"][command]


def test_a_budget_is_documented_field_by_field() -> None:
    balance = Balance("a", "team", "a", "month", "2026-11", 1, 0, 0, 0, draining=False, warned=())
    assert list(route_budgets._json(balance)) == list(WORDS["budgets_fields"])


def test_every_small_answer_of_the_reference_is_tried() -> None:
    assert SMALL.keys() == WORDS["small_answers"].keys()
