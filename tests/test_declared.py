"""What clearbar.toml may say, and what is said of a file that says something else."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.errors import DeclarationError
from clearbar.declared import REFERENCE, Declared, load, parse
from clearbar.gate.policy_settings import Policy
from clearbar.own.workflow import Bar, MatchRule, Metric, TierRule, Workflow
from clearbar.spend.files.table_mapping import TableMapping
from clearbar.spend.prices.price_override import PriceOverride

if TYPE_CHECKING:
    from clearbar.core.toml_table import KeyDoc

FILE = Path("clearbar.toml")

EXAMPLE = """\
[workspace]
name = "Acme"
as_of = 2026-11-01

[[workflow]]
name = "support-replies"
owner = "support-lead@example.com"
purpose = "Draft replies to support tickets"
metric = { name = "resolved", unit = "ticket", from = "outcomes/support.csv" }
bar = "resolved >= 0.92"
stakes = "high"
budget_usd_month = "900"
worth_usd = 1.20
data_class = "restricted"
next_step = "Trial a small model on the ten commonest questions"
kill = ["usd_per_good > 0.30 for 28d", "return_usd < 0 for 60d"]
review = "6w"
# agreed in August
match = [
  { service = "support-*" },
  { project = ["helpdesk", "tickets"], "label.channel" = "email" },
]

[[workflow]]
name = "letters"

[[tier]]
model = "acme-finetune-*"
tier = "small"

[[price]]
provider = "azure"
model = "gpt-4o*"
from = 2026-07-01
until = 2027-07-01
service_tier = "batch"
discount = "0.22"
source = "contract 2026-17"

[[price]]
provider = "ollama"
model = "*"
usd_per_million = { input_tokens = "0.05", output_tokens = 0.15 }
usd_per_call = 0

[[table]]
name = "azure-export"
files = "exports/azure-*.csv"
cached_tokens = "inside"
cost_basis = "billed"
timezone = "Europe/Berlin"
columns = { started_at = "Date", model = "Model", input_tokens = "Prompt", cost_usd = "Cost" }
constants = { provider = "azure" }
labels = { channel = "Channel" }

[policy]
mode = "enforce"
grace = "2w"
tokens_growth = 0.3
inhouse_providers = ["Ollama", "vllm"]
stakes_review = { high = 0.25 }
"""


def read(text: str) -> Declared:
    return parse(text, FILE)


def faults(text: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        read(text)
    return caught.value.message.splitlines()


def fault(text: str) -> str:
    (only,) = faults(text)
    return only


def workflow(*lines: str) -> str:
    return "\n".join(["[[workflow]]", 'name = "w"', *lines])


def price(*lines: str) -> str:
    return "\n".join(["[[price]]", 'provider = "azure"', 'model = "*"', *lines])


def table(*lines: str, columns: str = '{ started_at = "Date", cost_usd = "Cost" }') -> str:
    start = ["[[table]]", 'name = "t"', 'files = "*.csv"', f"columns = {columns}"]
    return "\n".join([*start, *lines])


def test_an_empty_file_declares_nothing_and_keeps_every_default() -> None:
    assert read("") == Declared()


def test_the_workspace_has_a_name_and_may_stop_the_clock() -> None:
    declared = read(EXAMPLE)
    assert (declared.workspace_name, declared.as_of) == ("Acme", date(2026, 11, 1))


def test_a_workflow_says_all_that_is_declared_of_it() -> None:
    assert read(EXAMPLE).workflows[0] == Workflow(
        name="support-replies",
        owner="support-lead@example.com",
        purpose="Draft replies to support tickets",
        metric=Metric("resolved", "ticket", "outcomes/support.csv"),
        bar=Bar(at_least=0.92, text="resolved >= 0.92"),
        stakes="high",
        budget_usd_month=Decimal(900),
        worth_usd=Decimal("1.20"),
        data_class="restricted",
        next_step="Trial a small model on the ten commonest questions",
        kill_rules=("usd_per_good > 0.30 for 28d", "return_usd < 0 for 60d"),
        review_days=42,
        match_rules=(
            MatchRule((("service", ("support-*",)),), 20),
            MatchRule((("project", ("helpdesk", "tickets")), ("label.channel", ("email",))), 21),
        ),
        line=5,
    )


def test_what_a_workflow_does_not_declare_is_a_gap() -> None:
    assert read(EXAMPLE).workflows[1] == Workflow("letters", line=24)


def test_a_bar_may_be_relative_to_a_tool() -> None:
    bar = read(workflow('bar = "within 0.02 of claude-opus-4-6"')).workflows[0].bar
    assert bar == Bar(within=0.02, of="claude-opus-4-6", text="within 0.02 of claude-opus-4-6")


def test_a_label_may_be_written_without_quotes() -> None:
    (declared,) = read(workflow('match = [{ label.channel = "email" }]')).workflows
    assert declared.match_rules == (MatchRule((("label.channel", ("email",)),), 3),)


def test_tiers_of_your_own_are_read() -> None:
    assert read(EXAMPLE).tiers == (TierRule("acme-finetune-*", "small"),)


def test_a_discount_and_prices_are_read_exactly() -> None:
    assert read(EXAMPLE).prices == (
        PriceOverride(
            provider="azure",
            model="gpt-4o*",
            start=date(2026, 7, 1),
            end=date(2027, 7, 1),
            service_tier="batch",
            discount=Decimal("0.22"),
            source="contract 2026-17",
        ),
        PriceOverride(
            provider="ollama",
            model="*",
            usd_per_million={"input_tokens": Decimal("0.05"), "output_tokens": Decimal("0.15")},
            usd_per_call=Decimal(0),
        ),
    )


def test_a_table_mapping_is_read() -> None:
    assert read(EXAMPLE).tables == (
        TableMapping(
            name="azure-export",
            files="exports/azure-*.csv",
            columns={
                "started_at": "Date",
                "model": "Model",
                "input_tokens": "Prompt",
                "cost_usd": "Cost",
            },
            constants={"provider": "azure"},
            labels={"channel": "Channel"},
            cached_tokens="inside",
            cost_basis="billed",
            timezone="Europe/Berlin",
        ),
    )


def test_utc_is_known_without_a_database_of_time_zones() -> None:
    (declared,) = read(table('timezone = "UTC"')).tables
    assert declared.timezone == "UTC"


def test_a_policy_changes_what_it_names_and_keeps_the_rest() -> None:
    assert read(EXAMPLE).policy == Policy(
        mode="enforce",
        grace_days=14,
        tokens_growth=0.3,
        inhouse_providers=("ollama", "vllm"),
        stakes_review={"high": 0.25, "normal": 1.0, "low": 2.0},
    )


def test_money_written_as_a_toml_float_stays_exact() -> None:
    (declared,) = read(workflow("worth_usd = 0.1")).workflows
    assert declared.worth_usd == Decimal("0.1")


def test_spaces_and_line_breaks_in_a_sentence_become_one_space() -> None:
    (declared,) = read(workflow('purpose = """Draft\n  replies"""')).workflows
    assert declared.purpose == "Draft replies"


def test_all_faults_of_a_file_are_said_at_once_in_its_order() -> None:
    text = EXAMPLE.replace('"high"', '"hihg"').replace("owner =", "onwer =")
    text = text.replace('"2w"', '"2 weeks"').replace('"0.22"', '"22"')
    stakes = 'expected "high", "normal" or "low", found "hihg". Did you mean "high"?'
    assert faults(text) == [
        'clearbar.toml:7: workflow.onwer: unknown key. Did you mean "owner"?',
        f"clearbar.toml:11: workflow.stakes: {stakes}",
        'clearbar.toml:37: price.discount: expected a share from 0 to 1, found "22"',
        'clearbar.toml:58: policy.grace: "2 weeks" is no duration (write days or weeks: 28d, 6w)',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[worklfow]]\nname = "w"', ':1: worklfow: unknown key. Did you mean "workflow"?'),
        ("zzz = 1", ":1: zzz: unknown key. Known here: workspace, workflow, tier, price, currency"),
        ("workflow = 1", ":1: workflow: expected a list of tables, each under its own [[ ]]"),
        ("workflow = [1]", ":1: workflow: expected a table, found 1"),
        ("[[policy]]", ":1: policy: expected a table, found a list"),
        ("[workspace]\nas_of = '2026-11-01'", ":2: workspace.as_of: expected a date without"),
        ("[workspace]\nas_of = 2026-11-01T00:00:00Z", ":2: workspace.as_of: expected a date"),
        ("[[workflow]]", ':1: workflow: expected the key "name" (text), found none'),
        ('[[workflow]]\nname = "(unattributed)"', ":2: workflow.name:"),
        (workflow("", "[[workflow]]", 'name = " w"'), ':5: workflow.name: "w" is declared twice'),
        (workflow('owner = ""'), ':3: workflow.owner: expected text, found ""'),
        (workflow("owner = true"), ":3: workflow.owner: expected text, found true"),
        (workflow('owner = "a\\u0007b"'), ":3: workflow.owner: expected text, found control"),
        (workflow('metric = "resolved"'), ":3: workflow.metric: expected a table"),
        (workflow('metric = { name = "m", unit = "u" }'), ":3: workflow.metric: expected the key"),
        (workflow('bar = "92%"'), ':3: workflow.bar: "92%" is no bar (write resolved >= 0.92'),
        (workflow('bar = "good >= 0.9"'), ':3: workflow.bar: "good" is no metric of this workflow'),
        (workflow('bar = "within 2 of x"'), ":3: workflow.bar: "),
        (
            workflow(
                'metric = { name = "resolved", unit = "u", from = "f" }', 'bar = "solved >= 0.9"'
            ),
            ':4: workflow.bar: expected the metric "resolved" of this workflow, found "solved"',
        ),
        (workflow('budget_usd_month = "-5"'), ":3: workflow.budget_usd_month: expected US dollars"),
        (workflow("budget_usd_month = -5"), ":3: workflow.budget_usd_month: expected US dollars"),
        (workflow('worth_usd = "$5"'), ":3: workflow.worth_usd: expected US dollars"),
        (workflow("worth_usd = nan"), ":3: workflow.worth_usd: expected US dollars"),
        (workflow("worth_usd = inf"), ":3: workflow.worth_usd: expected US dollars"),
        (workflow("worth_usd = true"), ":3: workflow.worth_usd: expected US dollars"),
        (workflow("worth_usd = [1]"), ":3: workflow.worth_usd: expected US dollars"),
        (workflow('data_class = "secret"'), ":3: workflow.data_class: expected"),
        (workflow("stakes = 1"), ":3: workflow.stakes: expected"),
        (workflow('review = "0d"'), ':3: workflow.review: "0d" is no duration'),
        (workflow('kill = "calls < 1 for 28d"'), ":3: workflow.kill: expected a list of text"),
        (workflow('kill = ["calls < 1"]'), ':3: workflow.kill: "calls < 1" says no duration'),
        (
            workflow("kill = [", '  "calls < 1 for 28d",', '  "clals < 1 for 28d",', "]"),
            ':5: workflow.kill: "clals < 1", column 1: "clals" is not known. Did you mean "calls"?',
        ),
        (workflow("match = [{}]"), ":3: workflow.match: a rule without a condition"),
        (workflow('match = { team = "x" }'), ":3: workflow.match: expected a list of match rule"),
        (
            workflow('match = [{ taem = "x" }]'),
            ":3: workflow.match.taem: no dimension of a charge.",
        ),
        (workflow('match = [{ label = "x" }]'), ":3: workflow.match.label: no dimension"),
        (workflow('match = [{ "label." = "x" }]'), ':3: workflow.match."label.": no dimension'),
        (workflow("match = [{ team = [] }]"), ":3: workflow.match.team: a list without a glob"),
        (workflow('match = [{ team = "" }]'), ':3: workflow.match.team: expected text, found ""'),
        (workflow('match = [{ team = "[ab" }]'), ':3: workflow.match.team: "[ab" opens a [ that'),
        (
            workflow('match = [{ team = "[z-a]" }]'),
            ':3: workflow.match.team: "[z-a]" holds an empty',
        ),
        (
            workflow('match = [{ label.a = "x", "label.a" = "y" }]'),
            ':3: workflow.match."label.a": label.a is declared twice in one rule',
        ),
        ('[[tier]]\nmodel = "x"\ntier = "smal"', ':3: tier.tier: expected "frontier", "small" or'),
        (price("until = 2026-01-01", "from = 2026-01-01", "discount = 0"), ":4: price.until:"),
        (price('discount = "1.5"'), ":4: price.discount: expected a share from 0 to 1"),
        (price(), ":1: price: expected discount, usd_per_million or usd_per_call, found none"),
        (
            price("discount = 0", "usd_per_call = 1"),
            ":4: price.discount: stands beside usd_per_call",
        ),
        (
            price('usd_per_million = { inputtokens = "1" }'),
            ':4: price.usd_per_million.inputtokens: no meter. Did you mean "input_tokens"?',
        ),
        (price("usd_per_million = { images = -1 }"), ":4: price.usd_per_million.images: expected"),
        (price("usd_per_million = 5"), ":4: price.usd_per_million: expected a table, found 5"),
        (
            '[[table]]\nname = "t"\nfiles = "*"',
            ':1: table: expected the key "columns" (table: field',
        ),
        (
            table(columns='{ cost_usd = "C" }'),
            ":4: table.columns: expected a column for started_at",
        ),
        (
            table(columns='{ started_at = "D" }'),
            ":4: table.columns: expected a column for cost_usd",
        ),
        (
            table(columns='{ started_at = "D", cost_usd = "C", modle = "M" }'),
            ':4: table.columns.modle: no field. Did you mean "model"?',
        ),
        (
            table(columns='{ started_at = "D", cache_read_tokens = "C" }'),
            ":4: table.columns.cache_read_tokens: needs cached_tokens",
        ),
        (table('constants = { cost_usd = "1" }'), ":5: table.constants.cost_usd: is a column too"),
        (table('timezone = "Mars"'), ':5: table.timezone: "Mars" is no IANA time zone'),
        (
            table('cached_tokens = "within"'),
            ':5: table.cached_tokens: expected "inside" or "beside"',
        ),
        (
            "[policy]\npower = 1",
            ":2: policy.power: expected a probability between 0 and 1, found 1",
        ),
        ("[policy]\ntokens_growth = -1", ":2: policy.tokens_growth: expected a growth"),
        ("[policy]\ntokens_growth = 1e999", ":2: policy.tokens_growth: expected a growth"),
        ("[policy.stakes_review]\nhihg = 1", ":2: policy.stakes_review.hihg: no stakes."),
        (
            "[policy]\nstakes_review = { high = 0 }",
            ":2: policy.stakes_review.high: expected a factor",
        ),
        ('[policy]\nmode = "enfroce"', 'found "enfroce". Did you mean "enforce"?'),
    ],
)
def test_a_fault_says_where_it_is_and_what_was_expected(text: str, said: str) -> None:
    assert f"clearbar.toml{said}" in fault(text) if said.startswith(":") else said in fault(text)


def test_a_value_that_is_long_is_cut_short() -> None:
    assert len(fault(workflow(f'stakes = "{"x" * 999}"'))) < 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\nb =", "clearbar.toml:2: not TOML: invalid value, at the end"),
        ("a = 1\nb = ?\n", "clearbar.toml:2: not TOML: invalid value, column 5"),
        ("a = 1\na = 2", "clearbar.toml:2: not TOML: cannot overwrite a value"),
        ("a = 1e99999999999999999999", "clearbar.toml:1: not TOML: a number out of all bounds"),
        (f"a = {'9' * 5000}", "clearbar.toml:1: not TOML:"),
        (f"a = {'[' * 5000}", "clearbar.toml:1: nested too deeply"),
    ],
)
def test_what_is_not_toml_is_said_with_its_line(text: str, said: str) -> None:
    assert fault(text).startswith(said)


def test_a_file_is_loaded_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "clearbar.toml"
    for start in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(start + EXAMPLE.replace("\n", "\r\n").encode())
        assert load(path) == read(EXAMPLE)


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "clearbar.toml"
    path.write_bytes(b'[workspace]\nname = "caf\xe9"\n')
    with pytest.raises(DeclarationError, match=r"^clearbar\.toml:2: not UTF-8$"):
        load(path)


def test_a_file_that_does_not_exist_is_an_error_a_person_can_act_on(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="No such file"):
        load(tmp_path / "clearbar.toml")


def test_every_key_is_documented_in_one_sentence() -> None:
    assert [doc.name for doc in REFERENCE if not doc.meaning.endswith(".")] == []
    assert [doc.name for doc in REFERENCE if doc.type != "list of tables" and not doc.example] == [
        "workspace",
        "policy",
        "gateway",
    ]


def test_every_key_of_the_example_is_documented() -> None:
    documented = {(doc.table, doc.name) for doc in REFERENCE}
    assert {("workflow", "kill"), ("workflow.metric", "from"), ("policy", "grace")} <= documented


TRIED = """\
[[workflow]]
name = "support"
bar = "within 0.03 of opus"

[[tool]]
name = "opus"
kind = "anthropic"
model = "claude-opus-4-6"

[[tool]]
name = "own"
kind = "openai"
model = "claude-opus-4-6"
tier = "small"

[[trial]]
workflow = "support"
cases = "cases.jsonl"
tools = ["opus", "own"]
grade = { kind = "exact" }
"""


def test_a_tool_without_a_tier_has_the_one_of_its_model_and_a_declared_tier_stands() -> None:
    assert {tool.name: tool.tier for tool in read(TRIED).tools} == {
        "opus": "frontier",
        "own": "small",
    }


def test_a_tool_s_tier_follows_a_tier_rule_of_the_file() -> None:
    rule = '[[tier]]\nmodel = "claude-opus-*"\ntier = "small"\n'
    assert read(TRIED + rule).tools[0].tier == "small"


@pytest.mark.parametrize(
    ("there", "written", "said"),
    [
        ('["opus", "own"]', '["opsu", "own"]', 'no tool is called "opsu". Did you mean "opus"?'),
        ('workflow = "support"', 'workflow = "suport"', 'no workflow is called "suport".'),
    ],
)
def test_a_trial_names_what_is_declared(there: str, written: str, said: str) -> None:
    assert said in fault(TRIED.replace(there, written))


def test_a_cascade_names_tools_that_are_declared() -> None:
    cascade = '[[tool]]\nname = "both"\nkind = "cascade"\nfirst = "own"\nthen = "opuss"\n'
    assert 'no tool "opuss"' in fault(TRIED + cascade)


def test_a_cascade_has_the_tier_of_the_tool_that_it_asks_last() -> None:
    cascade = '[[tool]]\nname = "both"\nkind = "cascade"\nfirst = "own"\nthen = "opus"\n'
    assert read(TRIED + cascade).tools[-1].tier == "frontier"


def test_a_workflow_has_one_trial() -> None:
    again = TRIED[TRIED.index("[[trial]]") :]
    assert '"support" is declared twice' in fault(TRIED + again)


def test_every_setting_of_the_policy_is_documented_with_its_default() -> None:
    documented = [doc for doc in REFERENCE if doc.table == "policy"]
    assert len(documented) == len(fields(Policy))
    defaults = {doc.name: doc.default for doc in documented}
    assert defaults["grace"] == '"14d"'
    assert defaults["power"] == "0.8"
    assert defaults["stakes_review"] == "{ high = 0.5, normal = 1.0, low = 2.0 }"


VALUES = st.sampled_from(
    ['"x"', '""', "1", "-1", "0.5", "true", "[]", "{}", "[[]]", '["x"]', "{ x = 1 }", "2026-01-01"]
)


@given(st.sampled_from([doc for doc in REFERENCE if doc.table]), VALUES)
def test_any_value_of_any_key_is_declared_or_a_declaration_error(doc: KeyDoc, value: str) -> None:
    is_list = doc.table in {"workflow", "tier", "price", "table", "tool", "trial"}
    header = f"[[{doc.table}]]" if is_list else f"[{doc.table}]"
    said = ""
    try:
        read(f"{header}\n{doc.name} = {value}")
    except DeclarationError as error:
        said = error.message
    assert all(line.startswith("clearbar.toml:") for line in said.splitlines())
