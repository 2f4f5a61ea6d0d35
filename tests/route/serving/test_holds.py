"""Money that somebody else's calls are held for: what is held, what is taken, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.gateway import Answered, Gateway, gateway_for, settled, toml

from clearbar.route.journal.reader import calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clearbar.route.journal.entry import Ended, Held

WORKFLOWS = ("letters", "moved", "ruled", "advised")
GPT_5_OUTPUT_NUSD = 10_000
MORE = """
[[workflow]]
name = "moved"
owner = "moved-lead@example.com"

[[workflow]]
name = "ruled"
owner = "ruled-lead@example.com"

[[workflow]]
name = "advised"
owner = "advised-lead@example.com"

[[tool]]
name = "sorted"
kind = "rules"
file = "rules.toml"

[[route]]
workflow = "moved"
tool = "small"

[[route]]
workflow = "ruled"
tool = "sorted"

[[route]]
workflow = "advised"
mode = "advise"

[[budget]]
scope = "organisation"
usd = "50"

[[budget]]
scope = "workflow"
name = "advised"
usd = "0.0000001"
"""
RULES = """
[[rule]]
contains = ["refund"]
answer = "refund"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("holds")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[tuple[Gateway, dict[str, str]]]:
    (folder / "rules.toml").write_text(RULES)
    with gateway_for(folder, toml("http://127.0.0.1:9/v1", MORE), *WORKFLOWS) as opened:
        yield opened


@pytest.fixture
def ask(running: tuple[Gateway, dict[str, str]]) -> Callable[..., Answered]:
    gateway, keys = running

    def asked(path: str, body: object = None, workflow: str = "letters") -> Answered:
        headers = {"authorization": f"Bearer {keys[workflow]}"}
        return gateway.ask("POST", f"/v1/holds{path}", body, headers, port=gateway.admin_port)

    return asked


def wanted(hold_id: str, **more: Any) -> dict[str, Any]:
    return {
        "hold_id": hold_id,
        "model": "gpt-5-mini",
        "input_tokens": 100,
        "max_output_tokens": 1000,
        **more,
    }


def lines(folder: Path, hold_id: str) -> list[tuple[Held, Ended | None]]:
    found = calls(folder / ".clearbar/route/journal")
    return [each for each in found if each[0].request_id == hold_id]


def charge(folder: Path, hold_id: str) -> dict[str, Any]:
    """Return the charge of a hold that has ended."""
    ((held, _),) = lines(folder, hold_id)

    def there(found: list[dict[str, Any]]) -> bool:
        return any(each["trace_id"] == held.trace_id for each in found)

    (mine,) = [each for each in settled(folder, there) if each["trace_id"] == held.trace_id]
    return mine


def test_a_hold_that_arrives_again_after_its_end_holds_nothing_more(
    ask: Callable[..., Answered], folder: Path
) -> None:
    assert ask("", wanted("late")).status == 201
    assert ask("/late/release").status == 200
    assert ask("", wanted("late")).status == 409
    assert len(lines(folder, "late")) == 1


def test_a_hold_settled_without_usage_is_an_estimated_charge_of_what_was_held(
    ask: Callable[..., Answered], folder: Path
) -> None:
    held_usd = float(ask("", wanted("untold")).json["held_usd"])
    ended = ask("/untold/settle", {"outcome": "ok"}).json
    assert float(ended["cost_usd"]) == held_usd
    found = charge(folder, "untold")
    assert float(found["cost_usd"]) == pytest.approx(held_usd)
    assert found["basis"] == "estimated"


@pytest.mark.parametrize(
    "usage",
    [{"sausages": 5}, {"output_tokens": 1, "reasoning_tokens": 5}, {"web_searches": 10**13}],
    ids=["meter", "reasoning", "impossible"],
)
def test_usage_that_cannot_be_is_taken_for_none(
    ask: Callable[..., Answered], folder: Path, usage: dict[str, int]
) -> None:
    name = next(iter(usage))
    held_usd = float(ask("", wanted(name)).json["held_usd"])
    ended = ask(f"/{name}/settle", {"outcome": "ok", "usage": usage}).json
    assert float(ended["cost_usd"]) == held_usd
    assert float(charge(folder, name)["cost_usd"]) == pytest.approx(held_usd)


def test_the_model_that_is_called_is_held_for_and_not_the_one_of_the_route(
    ask: Callable[..., Answered],
) -> None:
    given = ask("", wanted("dear", model="gpt-5"), "moved").json
    assert float(given["held_usd"]) * 1e9 >= 1000 * GPT_5_OUTPUT_NUSD


def test_a_model_is_not_free_where_the_route_has_none(ask: Callable[..., Answered]) -> None:
    given = ask("", wanted("ruled", model="gpt-5"), "ruled").json
    assert float(given["held_usd"]) * 1e9 >= 1000 * GPT_5_OUTPUT_NUSD
    usage = {"input_tokens": 10, "output_tokens": 100}
    ended = ask("/ruled/settle", {"usage": usage, "model": "gpt-5"}, "ruled").json
    assert float(ended["cost_usd"]) * 1e9 >= 100 * GPT_5_OUTPUT_NUSD


def test_advise_sets_no_limit_when_the_budget_is_spent(ask: Callable[..., Answered]) -> None:
    for name in ("first", "second"):
        given = ask("", wanted(name), "advised")
        assert given.status == 201
        assert given.json.get("max_output_tokens") is None
