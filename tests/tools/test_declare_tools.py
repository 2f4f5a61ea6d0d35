"""What `[[tool]]` may say, and what is said of one that says something else."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal

import pytest

from clearbar.core.errors import DeclarationError
from clearbar.core.toml_kinds import tables_of
from clearbar.core.toml_table import Faults, Key, Place, Table, reference
from clearbar.tools.declare import HERE, TOOL_KEYS, check_cascades, read_tool
from clearbar.tools.tool import GpuPrice, NoPrice, Request, TokenPrice, Tool
from clearbar.tools.wire import body_of

TOOLS: Key[tuple[Tool, ...]] = Key(
    "tool", tables_of(TOOL_KEYS, read_tool, unique="name"), (), "Tools."
)


def read(text: str) -> tuple[Tool, ...]:
    values = tomllib.loads(text, parse_float=Decimal)
    faults = Faults("clearbar.toml", text)
    root = Table(values, Place(faults), [TOOLS])
    tools = root.take(TOOLS)
    check_cascades(tools, root.place.at("tool"))
    faults.raise_if_any()
    return tools


def one(text: str) -> Tool:
    (tool,) = read(f'[[tool]]\nname = "a"\n{text}')
    return tool


def faults_of(text: str) -> list[str]:
    with pytest.raises(DeclarationError) as raised:
        read(text)
    return raised.value.message.splitlines()


def fault_of(text: str) -> str:
    (fault,) = faults_of(f'[[tool]]\nname = "a"\n{text}')
    return fault.removeprefix("clearbar.toml:")


def test_an_endpoint_is_read_with_all_its_keys() -> None:
    assert one(
        """kind = "openai"
        model = "gpt-5-mini"
        provider = "azure"
        url = "https://ours.openai.azure.com/openai/v1?api-version=preview"
        key_env = "AZURE_KEY"
        tier = "small"
        input_usd_per_million = "0.25"
        output_usd_per_million = 2
        data_class = "restricted"
        settings = { temperature = 0.2, max_tokens = 300, stop = ["END"], extra = { seed = 1 } }
        timeout_s = 30
        concurrency = 8
        requests_per_minute = 600
        version = "2026-11"
        """
    ) == Tool(
        name="a",
        kind="openai",
        tier="small",
        cost=TokenPrice(Decimal("0.25"), Decimal(2)),
        data_class="restricted",
        model="gpt-5-mini",
        provider="azure",
        url="https://ours.openai.azure.com/openai/v1?api-version=preview",
        key_env="AZURE_KEY",
        settings={"temperature": 0.2, "max_tokens": 300, "stop": ["END"], "extra": {"seed": 1}},
        timeout_s=30.0,
        concurrency=8,
        requests_per_minute=600,
        version="2026-11",
        line=1,
    )


def test_settings_are_sent_as_they_were_declared() -> None:
    tool = one('kind = "openai"\nmodel = "m"\nsettings = { temperature = 0.10, logprobs = true }')
    assert json.loads(body_of(tool, Request("hi")))["temperature"] == 0.1
    assert b'"logprobs":true' in body_of(tool, Request("hi"))


def test_an_endpoint_without_a_price_is_priced_by_the_book() -> None:
    tool = one('kind = "anthropic"\nmodel = "claude-haiku-4-5"')
    assert (tool.cost, tool.tier, tool.data_class) == (TokenPrice(), "unknown", "internal")


def test_a_model_of_ones_own_is_priced_by_its_gpus() -> None:
    tool = one(
        """kind = "openai"
        model = "llama"
        url = "http://127.0.0.1:8080/v1"
        usd_per_gpu_hour = "3.13"
        output_tokens_per_second = 850
        utilisation = 0.30
        """
    )
    assert tool.cost == GpuPrice(Decimal("3.13"), Decimal(850), Decimal("0.30"))


def test_a_command_is_read() -> None:
    tool = one('kind = "command"\ncommand = ["./say", "a b"]\nfree = "our own machine"')
    assert tool.command == ("./say", "a b")
    assert (tool.cost, tool.tier) == (NoPrice("our own machine"), "none")


def test_a_callable_without_a_price_has_none() -> None:
    tool = one('kind = "python"\nfunction = "desk.refunds:Rules.decide"')
    assert (tool.function, tool.cost) == ("desk.refunds:Rules.decide", TokenPrice())


@pytest.mark.parametrize("kind", ["rules", "classifier"])
def test_what_is_worked_out_here_is_free_and_may_be_given_all_data(kind: str) -> None:
    tool = one(f'kind = "{kind}"\nfile = "tools/refunds.toml"')
    assert (tool.cost, tool.tier, tool.data_class) == (HERE, "none", "restricted")


def test_what_is_declared_stands_before_what_is_usual() -> None:
    tool = one('kind = "rules"\nfile = "x"\ndata_class = "public"\ntier = "small"\nfree = "ours"')
    assert (tool.data_class, tool.tier, tool.cost) == ("public", "small", NoPrice("ours"))


def test_a_cascade_names_its_tools() -> None:
    text = """
    [[tool]]
    name = "rules"
    kind = "rules"
    file = "x"
    [[tool]]
    name = "small"
    kind = "openai"
    model = "m"
    [[tool]]
    name = "large"
    kind = "openai"
    model = "l"
    [[tool]]
    name = "both"
    kind = "cascade"
    first = "small"
    then = "large"
    agree_with = ["rules"]
    """
    tool = read(text)[-1]
    assert (tool.first, tool.then, tool.agree_with) == ("small", "large", ("rules",))
    assert tool.tier == "unknown"


OPENAI = 'kind = "openai"\nmodel = "m"\n'
RULES = 'kind = "rules"\nfile = "x"\n'
OWN_PRICE = "input_usd_per_million = 1\noutput_usd_per_million = 1\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('kind = "opnai"\nmodel = "m"', '3: tool.kind: expected "openai", "anthropic"'),
        ('kind = "openai"', '1: tool: expected the key "model" (text) of a tool of kind "openai"'),
        ('kind = "command"', '1: tool: expected the key "command" (list of text)'),
        ('kind = "command"\ncommand = []', "4: tool.command: expected a program"),
        ('kind = "python"', '1: tool: expected the key "function"'),
        ('kind = "rules"', '1: tool: expected the key "file"'),
        (
            RULES + 'model = "m"',
            '5: tool.model: a tool of kind "rules" has no such key (it has file, free, data_class',
        ),
        (
            'kind = "command"\ncommand = ["x"]\n' + OWN_PRICE,
            '5: tool.input_usd_per_million: a tool of kind "command" has no such key',
        ),
        (OPENAI + 'colour = "red"', "5: tool.colour: unknown key."),
        (
            OPENAI + "input_usd_per_million = 1",
            "5: tool.input_usd_per_million: needs output_usd_per_million beside it",
        ),
        (
            OPENAI + "utilisation = 0.3",
            "5: tool.utilisation: needs usd_per_gpu_hour and output_tokens_per_second beside it",
        ),
        (
            OPENAI + 'free = "a gift"\n' + OWN_PRICE,
            "5: tool.free: stands beside input_usd_per_million: declare one cost, not two",
        ),
        (
            OPENAI + 'url = "ours/v1"',
            "5: tool.url: expected an address such as",
        ),
        (OPENAI + 'url = "http://[x/v1"', "5: tool.url: expected an address"),
        (
            OPENAI + 'url = "http://x:0x/v1"',
            "5: tool.url: expected an address",
        ),
        (
            OPENAI + 'url = "http://x/v1#a"',
            "5: tool.url: expected an address up",
        ),
        (
            OPENAI + 'url = "http://x/v1/chat/completions"',
            "5: tool.url: expected an address up to its version",
        ),
        (OPENAI + "utilisation = 0", "5: tool.utilisation: expected a share"),
        (
            OPENAI + "settings = { stream = true }",
            "5: tool.settings.stream: no setting: Clearbar says",
        ),
        (
            OPENAI + "settings = { since = 2026-01-01, at = [07:00:00] }",
            "5: tool.settings.since: 2026-01-01 is nothing that a request can hold",
        ),
        (
            OPENAI + "output_tokens_per_second = 0",
            "5: tool.output_tokens_per_second: expected a number above zero, found 0",
        ),
        (
            OPENAI + "settings = { top_p = inf }",
            "5: tool.settings.top_p: Infinity is nothing that a request can hold",
        ),
        ('kind = "python"\nfunction = "desk"', "4: tool.function: expected a callable such as"),
        (
            RULES + "timeout_s = 0",
            "5: tool.timeout_s: expected seconds, above 0",
        ),
        (
            RULES + "concurrency = 0",
            "5: tool.concurrency: expected a whole number",
        ),
        (RULES + "concurrency = true", "5: tool.concurrency: expected a whole"),
        (
            RULES + 'tier = "unknown"',
            '5: tool.tier: expected "frontier", "small"',
        ),
        (
            'kind = "cascade"\nfirst = "b"\nthen = "c"\ntimeout_s = 3',
            '6: tool.timeout_s: a tool of kind "cascade" has no such key (it has first, then',
        ),
    ],
)
def test_a_fault_is_said_with_its_line_and_a_way_out(text: str, fault: str) -> None:
    found = faults_of(f'[[tool]]\nname = "a"\n{text}')
    assert any(each.startswith(f"clearbar.toml:{fault}") for each in found), found


@pytest.mark.parametrize("value", ['"sk-abc-def"', '"$KEY"', "7", '""'])
def test_a_key_in_place_of_its_variables_name_is_not_quoted(value: str) -> None:
    fault = fault_of(f'kind = "openai"\nmodel = "m"\nkey_env = {value}')
    assert fault.startswith("5: tool.key_env: expected the name of an environment variable")
    assert "sk-" not in fault


def test_a_key_in_the_address_is_not_quoted() -> None:
    fault = fault_of('kind = "openai"\nmodel = "m"\nurl = "https://me:sk-abc@x.com/v1"')
    assert "key_env" in fault
    assert "sk-" not in fault


def cascade(first: str, then: str, agree_with: str = "[]") -> str:
    return f"""
[[tool]]
name = "small"
kind = "openai"
model = "m"
[[tool]]
name = "both"
kind = "cascade"
first = "{first}"
then = "{then}"
agree_with = {agree_with}
"""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (cascade("smal", "small"), '9: tool.first: no tool "smal". Did you mean "small"?'),
        (cascade("small", "gone"), '10: tool.then: no tool "gone".'),
        (cascade("small", "both"), '10: tool.then: "both" is a cascade itself'),
        (cascade("small", "small"), '10: tool.then: "small" is the first tool already'),
        (cascade("small", "gone", '["small"]'), '11: tool.agree_with: "small" is the first tool'),
        (cascade("small", "gone", '["x"]'), '11: tool.agree_with: no tool "x".'),
    ],
)
def test_a_cascade_that_names_no_tools_is_a_fault(text: str, fault: str) -> None:
    assert any(each.startswith(f"clearbar.toml:{fault}") for each in faults_of(text))


def test_two_tools_of_one_name_are_a_fault() -> None:
    same = '[[tool]]\nname = "a"\nkind = "rules"\nfile = "x"\n'
    assert faults_of(same + same) == [
        'clearbar.toml:6: tool.name: "a" is declared twice, first on line 2'
    ]


def test_every_key_has_a_meaning_and_an_example_that_can_be_read() -> None:
    for doc in reference(TOOL_KEYS, "tool"):
        assert doc.meaning.endswith(".")
        assert tomllib.loads(f"x = {doc.example}")


def test_every_declared_field_of_a_tool_can_be_declared() -> None:
    fields = {"cost", "timeout_s", "line"} ^ set(Tool.__dataclass_fields__)
    assert fields - {key.name for key in TOOL_KEYS} == set()
