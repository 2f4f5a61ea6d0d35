"""The docs say what the program does, name all that it has, and lead nowhere that is not there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from clearbar.cli import route_budgets
from clearbar.cli.main import cli
from clearbar.core.errors import Problem
from clearbar.core.period import ALL
from clearbar.declared import REFERENCE
from clearbar.gate.policy import policy_table
from clearbar.own.card_json import USAGE_DOCS
from clearbar.route.budgets.balances import Balance
from clearbar.spend import ingest, report, trace
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import SOURCES
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def fields(value: object, path: str = "", known: Mapping[str, str] | None = None) -> set[str]:
    """Paths of a JSON value, down to the sums of usage and to what `known` calls free."""
    if isinstance(value, list):
        return {found for each in value for found in fields(each, f"{path}[]", known)}
    if not isinstance(value, dict) or path in ("origin", "price"):
        return {path}
    below = {name: each for name, each in value.items() if name not in USAGE_DOCS or not path}
    found = {path} if len(below) < len(value) and not path.endswith("[]") else set[str]()
    for name, each in below.items():
        found |= fields(each, f"{path}.{name}" if path else name, known)
    return found


def documented(docs: Mapping[str, str]) -> set[str]:
    """Paths that are no more than the table above others."""
    return {path for path in docs if not any(other.startswith(f"{path}[]") for other in docs)}


@pytest.mark.slow
def test_what_an_add_answers_is_documented_field_by_field(summary: dict[str, Any]) -> None:
    assert summary.keys() == ingest.FIELD_DOCS.keys()


@pytest.mark.slow
def test_spend_is_documented_field_by_field(workspace: Workspace, summary: dict[str, Any]) -> None:
    assert summary["new"] == 1
    answer = report.report_json(workspace.spend(ALL, "model"))
    assert fields(answer) == documented(report.FIELD_DOCS)


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
