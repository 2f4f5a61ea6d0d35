"""The reference: one page for each thing that the program can say about itself."""

from __future__ import annotations

import inspect
import tomllib
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.testing import CliRunner
from gateway_page import gateway_parts

from clearbar.cli.distil_view import DISTIL_DOCS
from clearbar.cli.main import cli
from clearbar.cli.trial_forecast import LISTING_DOCS
from clearbar.core import errors
from clearbar.declared import KEYS, REFERENCE
from clearbar.gate.kill_rule import FACTS
from clearbar.gate.policy import policy_table
from clearbar.gate.verdict_json import FIELD_DOCS as VERDICT_DOCS
from clearbar.own.card_json import ESTIMATE_DOCS, USAGE_DOCS
from clearbar.own.card_json import FIELD_DOCS as CARD_DOCS
from clearbar.own.merged.outcomes import FIELD_DOCS as MERGED_DOCS
from clearbar.own.proposal import FIELD_DOCS as PROPOSAL_DOCS
from clearbar.own.tiers import shipped_tiers
from clearbar.route.route_json import FIELD_DOCS as ROUTE_DOCS
from clearbar.route.watching.overview import FIELD_DOCS as WATCH_DOCS
from clearbar.spend import anomalies, ingest, reconciliation_words, report, trace
from clearbar.spend.charge import DIMENSIONS
from clearbar.spend.columns import STORED
from clearbar.spend.prices import price_sources
from clearbar.spend.pull import pulling
from clearbar.spend.reconciling import closing
from clearbar.spend.repricing import price_logs
from clearbar.spend.sources import SOURCES
from clearbar.tools import rule_file
from clearbar.trial import cases, forecast
from clearbar.trial.certifying.certificate_json import FIELD_DOCS as CERTIFICATE_DOCS
from clearbar.trial.recorded.evaluators import EVALUATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_MADE: Final = "<!-- Made by docs/generate.py: change the program, not this page. -->"
_COLUMNS: Final = "80"
_TOLD: Final[Mapping[str, Any]] = tomllib.loads(
    Path(__file__).with_name("reference_words.toml").read_text(encoding="utf-8")
)
_WORDS: Final[Mapping[str, str]] = {name: text.strip() for name, text in _TOLD["words"].items()}


def command_line() -> str:
    """Return the help of every command."""
    parts = [_WORDS["command_line"]]
    for path in _commands(cli, ("clearbar",)):
        parts += [f"{'#' * min(len(path) + 1, 4)} {' '.join(path)}", _help_of(path)]
    return _page("The command line", *parts)


def toml_keys() -> str:
    """Return every key of clearbar.toml."""
    parts = [_WORDS["toml"]]
    for key in KEYS:
        several = key.kind.name.startswith("list")
        parts += [f"## {f'[[{key.name}]]' if several else f'[{key.name}]'}", key.meaning]
        parts.append(_key_table(key.name))
        for table in dict.fromkeys(doc.table for doc in REFERENCE):
            if table.startswith(f"{key.name}."):
                parts += [f"### {table}", _key_table(table)]
    names = "\n".join(f"- `{name}`" for name in DIMENSIONS)
    return _page("clearbar.toml", *parts, "## Dimensions", _WORDS["dimensions"], names)


def sources() -> str:
    """Return what each source reads, and its traps."""
    rows = [(f"`{each.NAME}`", each.TITLE, each.WHERE) for each in SOURCES]
    parts = [_WORDS["sources"], _table(("source", "reads", "where"), rows)]
    for each in SOURCES:
        version = f"{each.CONVENTION} Version {each.PARSER_VERSION} of the reader."
        parts += [f"## {each.NAME}", version, inspect.cleandoc(each.__doc__ or "")]
    return _page("Sources", *parts)


def evidence() -> str:
    """Return what a trial reads: cases, rule files, and the results of other evaluators."""
    rows = [(f"`{each.NAME}`", each.TITLE, each.WHERE) for each in EVALUATORS]
    parts = [
        "## Cases",
        inspect.cleandoc(cases.__doc__ or ""),
        "## Rule files",
        inspect.cleandoc(rule_file.__doc__ or ""),
        "## Results of other evaluators",
        _WORDS["evaluators"],
        _table(("evaluator", "reads", "where"), rows),
    ]
    for each in EVALUATORS:
        parts += [f"### {each.NAME}", inspect.cleandoc(each.__doc__ or "")]
    return _page("What a trial reads", *parts)


def gate() -> str:
    """Return the policy table, and the facts of kill rules."""
    rules = [(decision, f"`{rule}`", when) for decision, rule, when in policy_table()]
    facts = [(f"`{name}`", fact.unit, fact.meaning) for name, fact in FACTS.items()]
    return _page(
        "The gate",
        _WORDS["gate"],
        _table(("verdict", "rule", "holds when"), rules),
        "## Kill rules",
        _WORDS["kill_rules"],
        _table(("fact", "unit", "meaning"), facts),
    )


def tiers() -> str:
    """Return the shipped table of tiers, in the order in which it is tried."""
    table = shipped_tiers()
    level = f"${table.frontier_usd_per_million} for a million output tokens"
    lists = [
        f"1. {tier}: {' '.join(f'`{rule.model}`' for rule in rules)}"
        for tier, rules in groupby(table.rules, key=lambda rule: rule.tier)
    ]
    made = f"As of {table.as_of}. A model counts as frontier from a list price of {level}."
    return _page("Tiers", made, _WORDS["tiers"], "\n".join(lists))


def json_fields() -> str:
    """Return every field of every JSON answer."""
    verdicts = {f"verdicts[].{path}": meaning for path, meaning in VERDICT_DOCS.items()}
    answers: Sequence[tuple[str, str, Mapping[str, str]]] = (
        ("Usage", "The sums wherever a field is usage.", USAGE_DOCS),
        ("Estimate", "A value with its interval, wherever a field is one.", ESTIMATE_DOCS),
        ("spend --json", "`total` and the like are usage.", report.FIELD_DOCS),
        ("spend add --json", "What was read.", ingest.FIELD_DOCS),
        ("spend trace --json", "A list `charges` of these.", report.CHARGE_DOCS),
        ("spend trace CHARGE --json", "One charge.", trace.FIELD_DOCS),
        ("spend problems --json", "A list `problems` of these.", ingest.PROBLEM_DOCS),
        ("spend pull --json", _WORDS["json_pull"], pulling.FIELD_DOCS),
        ("spend reconcile --json", _WORDS["json_reconcile"], reconciliation_words.FIELD_DOCS),
        ("spend close --json", _WORDS["json_close"], closing.FIELD_DOCS),
        ("spend prices --json", _WORDS["json_prices"], price_sources.FIELD_DOCS),
        ("spend prices --disagree --json", _WORDS["json_disagree"], price_logs.FIELD_DOCS),
        ("spend anomalies --json", "Charges that are out of the usual.", anomalies.FIELD_DOCS),
        ("own --json", "With `--workflow`, one of `cards`.", CARD_DOCS),
        ("own discover --json", "Workflows that could be declared.", PROPOSAL_DOCS),
        ("own outcome git --json", _WORDS["json_merged"], MERGED_DOCS),
        ("trial --json", "The declared trials.", LISTING_DOCS),
        ("trial WORKFLOW --dry-run --json", "What a trial would take.", forecast.FORECAST_DOCS),
        ("trial WORKFLOW --json", _WORDS["json_certificate"], CERTIFICATE_DOCS),
        ("trial distil --json", "What distilling found.", DISTIL_DOCS),
        ("gate --json", "One verdict for each workflow, dearest first.", verdicts),
        ("route --json", "With `--workflow`, only that route.", ROUTE_DOCS),
        ("route budgets --json", "A list of these.", _TOLD["budgets_fields"]),
        ("route capture --json", "A list of these.", _TOLD["capture_fields"]),
        ("route watch --json", "How routed tools do, and what they save.", WATCH_DOCS),
    )
    parts = [_WORDS["json"]]
    for title, text, docs in answers:
        rows = [(f"`{path}`", meaning) for path, meaning in docs.items()]
        parts += [f"## {title}", text, _table(("field", "meaning"), rows)]
    small = [
        (f"`{command} --json`", ", ".join(f"`{name}`" for name in names))
        for command, names in _TOLD["small_answers"].items()
    ]
    parts += ["## report --json", _WORDS["json_report"]]
    parts += ["## Small answers", _table(("command", "fields"), small)]
    return _page("JSON", *parts)


def gateway() -> str:
    """Return what clients and operators of the gateway meet: headers, refusals, lines, metrics."""
    return _page("The gateway", *gateway_parts(_TOLD, _table))


def errors_and_exit_codes() -> str:
    """Return the exit codes, and the errors that a person may see."""
    kinds: list[type[errors.ClearbarError]] = [errors.ClearbarError]
    kinds += [each for each in errors.ClearbarError.__subclasses__() if _is_of_core(each)]
    rows = [(f"`{e.__name__}`", str(e.exit_code), inspect.cleandoc(e.__doc__ or "")) for e in kinds]
    return _page(
        "Errors and exit codes",
        _WORDS["errors"],
        _table(("exit code", "when"), list(_TOLD["exit_codes"].items())),
        _table(("error", "exit code", "meaning"), rows),
    )


def ledger_columns() -> str:
    """Return the columns of a record file.

    Raises:
        ValueError: when reference_words.toml tells of other columns than the program writes.
    """
    meanings: Mapping[str, str] = _TOLD["ledger_columns"]
    if differing := meanings.keys() ^ STORED.keys():
        raise ValueError(f"reference_words.toml and STORED differ in {sorted(differing)}")
    rows = [(f"`{name}`", kind, meanings[name]) for name, kind in STORED.items()]
    columns = _table(("column", "type", "meaning"), rows)
    return _page("The ledger's files", _WORDS["ledger"], "## Columns of records", columns)


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "command-line.md": command_line,
    "clearbar-toml.md": toml_keys,
    "sources.md": sources,
    "evidence.md": evidence,
    "gate.md": gate,
    "tiers.md": tiers,
    "gateway.md": gateway,
    "json.md": json_fields,
    "errors.md": errors_and_exit_codes,
    "ledger.md": ledger_columns,
}


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    if not isinstance(command, click.Group):
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden and name != getattr(command, "default", None):
            yield from _commands(inner, (*path, name))


def _help_of(path: Sequence[str]) -> str:
    asked = CliRunner(env={"COLUMNS": _COLUMNS}).invoke(
        cli, [*path[1:], "--help"], prog_name=path[0], catch_exceptions=False
    )
    return f"```text\n{asked.output.rstrip()}\n```"


def _is_of_core(kind: type[errors.ClearbarError]) -> bool:
    return kind.__module__ == errors.__name__


def _key_table(table: str) -> str:
    rows = [
        (
            f"`{doc.name}`" + (" (needed)" if doc.required else ""),
            doc.type,
            _code(doc.default),
            doc.meaning,
            _code(doc.example),
        )
        for doc in REFERENCE
        if doc.table == table
    ]
    return _table(("key", "kind", "default", "meaning", "example"), rows)


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([_MADE, f"# {title}", *parts]) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
