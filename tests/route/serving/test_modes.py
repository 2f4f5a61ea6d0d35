"""What each mode does to a request, and what no mode lets through."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.gateway import Answered, Gateway, decide, gateway_for, settled, toml
from tests.tools.upstream import Fault, Upstream

from clearbar.core.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.tools.upstream_bodies import Asked

WORKFLOWS = (
    *("advised", "spent", "shadowed", "moved", "shared", "killed", "paused"),
    *("secret", "secret-any", "spoken"),
)
CLASSES = {"secret": "restricted", "secret-any": "restricted"}
TRIAL = """
metric = { name = "score", unit = "ticket", from = "outcomes.csv" }
bar = "score >= 0.5"
"""
MORE = """
[[tool]]
name = "big"
kind = "openai"
model = "gpt-5"
url = "{url}"
key_env = "UPSTREAM_KEY"
provider = "openai"

[[tool]]
name = "own"
kind = "openai"
model = "llama"
url = "{url}"
free = "it runs on our own machines"
data_class = "restricted"

[[trial]]
workflow = "shadowed"
cases = "cases.jsonl"
tools = ["small", "big"]
grade = {{ kind = "exact" }}

[[route]]
workflow = "advised"
mode = "advise"
tool = "small"

[[route]]
workflow = "spent"
mode = "advise"

[[budget]]
scope = "workflow"
name = "spent"
usd = "0.000001"

[[route]]
workflow = "shadowed"
mode = "shadow"
tool = "small"
old_tool = "big"
shadow = 1.0

[[budget]]
scope = "workflow"
name = "shadowed"
usd = "5"

[[route]]
workflow = "moved"
tool = "small"
holdout = 0

[[route]]
workflow = "shared"
tool = "small"
old_tool = "big"
holdout = 0.5

[[route]]
workflow = "secret"
tool = "own"
fallbacks = ["small"]

[[route]]
workflow = "spoken"
tool = "claude"
"""


def declared(url: str) -> str:
    parts = [toml(url)]
    for name in WORKFLOWS:
        data = f'data_class = "{CLASSES[name]}"\n' if name in CLASSES else ""
        owner = f'owner = "{name}-lead@example.com"\nnext_step = "Try a smaller model"\n'
        more = TRIAL if name == "shadowed" else ""
        parts.append(f'[[workflow]]\nname = "{name}"\n{owner}{data}{more}')
    return "\n".join(parts) + MORE.format(url=url)


def fault_of(asked: Asked) -> Fault | None:
    return Fault("status", status=500) if asked.prompt == "fail" else None


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda body: f"I am {body['model']}", faults=fault_of) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modes")


@pytest.fixture(scope="module")
def running(upstream: Upstream, folder: Path) -> Iterator[tuple[Gateway, dict[str, str]]]:
    text = declared(upstream.url)
    (folder / "clearbar.toml").write_text(text)
    (folder / "cases.jsonl").write_text('{"input": "hi", "reference": "I am gpt-5"}\n')
    for each in ("advised", "killed"):
        decide(folder, each, "kill")
    with gateway_for(folder, text, *WORKFLOWS) as opened:
        yield opened


@pytest.fixture(scope="module")
def ask(running: tuple[Gateway, dict[str, str]]) -> Any:
    def asked(workflow: str, prompt: str = "hi", **more: Any) -> Answered:
        messages = [{"role": "user", "content": prompt}]
        return running[0].chat(running[1][workflow], messages=messages, max_tokens=50, **more)

    return asked


def text_of(answered: Answered) -> str:
    return str(answered.json["choices"][0]["message"]["content"])


def test_advise_changes_nothing(ask: Any) -> None:
    assert text_of(ask("advised", model="gpt-5")) == "I am gpt-5"


def test_advise_says_in_a_header_what_it_would_do(ask: Any) -> None:
    advice = ask("advised", model="gpt-5").headers["x-clearbar-advice"]
    assert advice.startswith("tool=small; verdict=kill")


def test_where_nothing_is_to_be_advised_there_is_no_header(ask: Any) -> None:
    assert "x-clearbar-advice" not in ask("spent", model="gpt-5").headers


def test_advise_refuses_nothing_when_the_budget_is_spent_and_counts_on(
    ask: Any, folder: Path
) -> None:
    for _ in range(3):
        assert ask("spent", model="gpt-5").status == 200

    def whole(found: list[dict[str, Any]]) -> bool:
        return len([each for each in found if each["workflow"] == "spent"]) >= 3

    found = [each for each in settled(folder, whole) if each["workflow"] == "spent"]
    assert len(found) >= 3
    assert all(each["cost_usd"] > 0 for each in found)


def test_in_shadow_the_client_has_the_answer_of_the_tool_that_it_asked(ask: Any) -> None:
    answered = ask("shadowed", "one", model="gpt-5")
    assert text_of(answered) == "I am gpt-5"
    assert answered.headers["x-clearbar-tool"] == "big"


def test_in_shadow_the_winner_is_asked_the_same(ask: Any, upstream: Upstream) -> None:
    ask("shadowed", "two", model="gpt-5")
    give_up = time.monotonic() + 5
    while not upstream.prompts["gpt-5-mini", "two"] and time.monotonic() < give_up:
        time.sleep(0.05)
    assert upstream.prompts["gpt-5-mini", "two"] == 1


def test_in_shadow_the_grade_is_kept_without_a_text(ask: Any, folder: Path) -> None:
    ask("shadowed", "three", model="gpt-5")
    rows: list[tuple[Any, ...]] = []
    give_up = time.monotonic() + 5
    with contextlib.closing(Store(folder / ".clearbar/facts.db")) as store:
        while not rows and time.monotonic() < give_up:
            time.sleep(0.05)
            rows = store.rows("SELECT tool, old_tool, score, by_old, same FROM shadow_sample")
    assert rows[0] == ("small", "big", 0.0, 1, 0)


def test_in_shadow_the_copy_is_a_charge_of_the_workflow_of_its_own_arm(
    ask: Any, folder: Path
) -> None:
    ask("shadowed", "four", model="gpt-5")

    def has_shadow(found: list[dict[str, Any]]) -> bool:
        return any("|arm=shadow|" in each["labels"] for each in found)

    shadows = [each for each in settled(folder, has_shadow) if "arm=shadow" in each["labels"]]
    assert {each["workflow"] for each in shadows} == {"shadowed"}
    assert all(each["cost_usd"] > 0 for each in shadows)


def test_in_shadow_the_copy_is_paid_from_the_budget_of_the_workflow(
    ask: Any, running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    ask("shadowed", "five", model="gpt-5")
    time.sleep(1.2)  # a worker tells the store of budgets once a second
    spent = sum(
        each["cost_usd"]
        for each in settled(folder, lambda _: True)
        if each["workflow"] == "shadowed"
    )
    counted = float(running[0].account("workflow:shadowed")["spent_usd"])
    assert counted == pytest.approx(float(spent), abs=1e-6)


def test_enforce_asks_the_winner_whatever_the_client_names(ask: Any) -> None:
    answered = ask("moved", model="gpt-5")
    assert text_of(answered) == "I am gpt-5-mini"
    assert answered.headers["x-clearbar-tool"] == "small"


def test_a_share_stays_on_the_old_tool_and_a_task_stays_where_it_is(ask: Any) -> None:
    of_task = {}
    for number in range(12):
        told = {"x-clearbar-task": f"task-{number}"}
        tools = {ask("shared", headers=told).headers["x-clearbar-tool"] for _ in range(3)}
        assert len(tools) == 1
        of_task[number] = tools.pop()
    assert set(Counter(of_task.values())) == {"small", "big"}


def test_a_killed_workflow_is_refused_with_who_can_change_that(ask: Any) -> None:
    answered = ask("killed")
    assert answered.status == 403
    assert answered.headers["x-should-retry"] == "false"
    said = answered.json["error"]["message"]
    assert "killed-lead@example.com" in said
    assert "Next step: " in said
    assert "clearbar gate override killed fund" in said


def test_a_paused_workflow_lets_its_begun_tasks_end_and_takes_no_new_ones(
    ask: Any, folder: Path
) -> None:
    begun = {"x-clearbar-task": "begun"}
    assert ask("paused", headers=begun).status == 200
    decide(folder, "paused", "pause")
    give_up = time.monotonic() + 5
    while ask("paused").status == 200 and time.monotonic() < give_up:
        time.sleep(0.1)
    refused = ask("paused", headers={"x-clearbar-task": "new"})
    assert (refused.status, refused.json["error"]["code"]) == (403, "paused")
    assert "paused-lead@example.com" in refused.json["error"]["message"]
    assert ask("paused", headers=begun).status == 200


def test_restricted_data_goes_to_the_tool_that_may_have_it(ask: Any) -> None:
    assert text_of(ask("secret", model="gpt-5")) == "I am llama"


def test_restricted_data_goes_to_no_fallback_outside(ask: Any, upstream: Upstream) -> None:
    assert ask("secret", "fail").status == 500
    assert {each.model for each in upstream.asked if each.prompt == "fail"} == {"llama"}


@pytest.mark.parametrize("model", ["gpt-5-mini", "gpt-5", "small", "any-other"])
def test_restricted_data_goes_to_no_model_outside_by_naming_it(
    ask: Any, upstream: Upstream, model: str
) -> None:
    answered = ask("secret-any", "for nobody", model=model)
    assert (answered.status, answered.json["error"]["code"]) == (403, "data_class")
    assert not [each for each in upstream.asked if each.prompt == "for nobody"]


def test_restricted_data_goes_nowhere_by_a_path_that_nobody_knows(
    running: tuple[Gateway, dict[str, str]], upstream: Upstream
) -> None:
    gateway, keys = running
    bearer = {"authorization": f"Bearer {keys['secret-any']}"}
    answered = gateway.ask("POST", "/v1/moderations", {"input": "for nobody"}, bearer)
    assert (answered.status, answered.json["error"]["code"]) == (403, "data_class")
    assert not upstream.asked_otherwise


def test_a_winner_of_the_other_protocol_is_refused_with_what_to_do(ask: Any) -> None:
    answered = ask("spoken")
    assert (answered.status, answered.json["error"]["code"]) == (400, "protocol")
    assert "does not speak OpenAI's protocol" in answered.json["error"]["message"]
