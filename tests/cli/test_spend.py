from __future__ import annotations

import gzip
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import LINE

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

SUMS = {
    "calls",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "cost_usd",
    "calls_billed",
    "calls_priced",
    "calls_estimated",
    "calls_unpriced",
}


def test_spend_shows_rows_the_total_and_what_is_left_out(filled: CommandLine) -> None:
    said = filled("spend")
    assert said.code == 0
    for text in ("letters", "total", "unattributed:", "unpriced: 1 calls", "quarantined: 1"):
        assert text in said.out


def test_a_name_that_looks_like_markup_is_shown_as_it_is(filled: CommandLine) -> None:
    assert "[/x]" in filled("spend", "--by", "model").out


def test_a_name_cannot_command_the_terminal(clearbar: CommandLine) -> None:
    path = clearbar.usage({**LINE, "user": "\x1b[2Jgone"})
    clearbar("spend", "add", path)
    assert "\x1b" not in clearbar("spend", "--by", "principal").out


def test_a_period_limits_what_is_shown(filled: CommandLine) -> None:
    assert filled("spend", "2026-08", "--json").json["total"]["calls"] == 1


@pytest.mark.parametrize("by", ["workflow", "model", "day", "label:tag", "team"])
def test_json_holds_the_documented_sums(filled: CommandLine, by: str) -> None:
    found = filled("spend", "--by", by, "--json").json
    assert {"period", "by", "rows", "total", "unattributed", "overlap"} <= found.keys()
    assert (found["unpriced_calls"], found["quarantined_records"]) == (1, 1)
    assert set(found["total"]) == SUMS
    costs = [Decimal(row["cost_usd"]) for row in found["rows"]]
    assert sum(costs) == Decimal(found["total"]["cost_usd"])


def test_explain_says_which_rule_took_each_origin(filled: CommandLine) -> None:
    said = filled("spend", "--explain")
    assert "letters: rule 1 of" in said.out


def test_explain_as_json_lists_origins(filled: CommandLine) -> None:
    assert len(filled("spend", "--explain", "--json").json["origins"]) == 2


@pytest.mark.parametrize("verb", ["spend", "own"])
@pytest.mark.parametrize("period", ["yesterday", "2026-W37", "2026-13", "0d"])
def test_an_unknown_period_is_refused_with_the_forms(
    clearbar: CommandLine, verb: str, period: str
) -> None:
    said = clearbar(verb, period)
    assert (said.code, said.out) == (1, "")
    assert f'"{period}" is no period' in said.err
    assert "2026-Q3" in said.err


def test_an_unknown_dimension_names_the_nearest(clearbar: CommandLine) -> None:
    said = clearbar("spend", "--by", "modle")
    assert (said.code, said.out) == (2, "")
    assert 'Did you mean "model"?' in said.err


def test_add_counts_what_came_of_it(clearbar: CommandLine) -> None:
    found = clearbar("spend", "add", clearbar.usage(LINE, "{broken"), "--json").json
    assert (found["records"], found["new"], found["quarantined"]) == (2, 1, 1)
    assert found["records_by_source"] == {"litellm": 1}


def test_add_says_what_it_did_and_where_to_look(clearbar: CommandLine) -> None:
    (clearbar.folder / "notes.txt").write_text("hello")
    clearbar.usage(LINE, "{broken")
    said = clearbar("spend", "add", clearbar.folder)
    assert "1 new" in said.out
    assert "not recognised" in said.out
    assert "clearbar spend problems" in said.out


def test_add_says_what_has_not_changed(filled: CommandLine) -> None:
    assert "1 unchanged" in filled("spend", "add", filled.folder / "usage.jsonl").out


@pytest.mark.parametrize("path", ["nowhere", "*.nothing"])
def test_a_path_that_is_not_there_is_an_error(clearbar: CommandLine, path: str) -> None:
    said = clearbar("spend", "add", path)
    assert (said.code, said.out) == (1, "")
    assert path in said.err
    assert "hint:" in said.err


def test_add_wants_a_path(clearbar: CommandLine) -> None:
    said = clearbar("spend", "add")
    assert said.code == 2
    assert "PATH" in said.err


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff" * 500, b"\xe9t\xe9\n", gzip.compress(b"x" * 9_999, mtime=0)[:-9]]
)
def test_a_file_that_cannot_be_read_is_a_problem_and_no_crash(
    clearbar: CommandLine, content: bytes
) -> None:
    path = clearbar.folder / "broken.jsonl"
    path.write_bytes(content)
    assert clearbar("spend", "add", path).code == 0
    [problem] = clearbar("spend", "problems", "--json").json["problems"]
    assert problem["uri"] == str(path)
    assert problem["what"]


def test_problems_say_where_what_and_how_to_mend(filled: CommandLine) -> None:
    said = filled("spend", "problems")
    assert "usage.jsonl:4: not JSON" in said.out
    assert "1 problems" in said.out


def test_no_problems_are_said_to_be_none(clearbar: CommandLine) -> None:
    assert clearbar("spend", "problems").out == "no problems\n"


def test_json_of_problems_has_the_documented_fields(filled: CommandLine) -> None:
    [problem] = filled("spend", "problems", "--json").json["problems"]
    assert set(problem) == {"uri", "line", "source", "what", "hint", "read_at"}


def test_trace_without_a_charge_lists_the_dearest(filled: CommandLine) -> None:
    [first, *_] = filled("spend", "trace", "--json").json["charges"]
    assert first["charge_id"][:12] in filled("spend", "trace").out


def test_trace_shows_price_lines_and_witnesses(filled: CommandLine) -> None:
    [first, *_] = filled("spend", "trace", "--json").json["charges"]
    said = filled("spend", "trace", first["charge_id"][:8])
    for text in ("input_tokens", "$0.0000025", "told by", "unchanged", "letters"):
        assert text in said.out


def test_trace_of_a_charge_without_a_price_shows_dashes(filled: CommandLine) -> None:
    found = filled("spend", "--by", "model", "--json").json
    assert found["unpriced_calls"] == 1
    from clearbar.spend.charge import charge_id

    said = filled("spend", "trace", charge_id("upstream:chatcmpl-2"))
    assert "cost      - (unpriced)" in said.out


def test_trace_as_json_is_what_is_known(filled: CommandLine) -> None:
    [first, *_] = filled("spend", "trace", "--json").json["charges"]
    found = filled("spend", "trace", first["charge_id"], "--json").json
    assert found["cost_usd"] == first["cost_usd"]


def test_trace_of_no_charge_is_refused(filled: CommandLine) -> None:
    said = filled("spend", "trace", "ffffffff")
    assert (said.code, said.out) == (2, "")
    assert "no charge begins with" in said.err


def test_reprice_says_how_many_prices_are_new(filled: CommandLine) -> None:
    toml = filled.folder / "clearbar.toml"
    price = '\n[[price]]\nprovider = "openai"\nmodel = "gpt-4o"\ndiscount = "0.5"\n'
    toml.write_text(toml.read_text() + price)
    assert filled("spend", "reprice", "2026-09").out == "1 records have a new price\n"
    assert filled("spend", "reprice", "--json").json == {"repriced": 1}


def test_rows_beyond_fifty_are_said_to_be_hidden(clearbar: CommandLine) -> None:
    told = ({**LINE, "request_id": f"chatcmpl-{n}", "team_id": f"t{n}"} for n in range(53))
    clearbar("spend", "add", clearbar.usage(*told))
    assert "3 smaller rows are not shown" in clearbar("spend", "--by", "team").out
