"""The sample company from its logs to its route: report, trial, gate, key, gateway, client, saving.

A real `openai` client sends the tickets of ticket routing to a real gateway, which stands before a
real endpoint. First the route only advises; then one word in clearbar.toml changes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.route.serving.gateway import Gateway, charges
from tests.tools.upstream import Upstream

from clearbar.core.period import Period
from clearbar.spend.charge import labels_of
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal
    from pathlib import Path

    from tests.tools.upstream_bodies import Asked

    from clearbar.own.card import MeasuredSaving, WorkflowCard

pytestmark = pytest.mark.slow

WORKFLOW, MODEL, HOLDOUT = "ticket-routing", "claude-opus-4-6", 0.2
PROMPT = "Name the queue of this ticket. Answer with one word."
TICKETS = 250
"""Sent twice: while the route advises, and while it is enforced."""
IN_TIME_S = 5.0
START = datetime.now(UTC).date()
PERIOD = Period(START, START + timedelta(days=2))
"""Today; and tomorrow, should midnight come in between."""


@dataclass
class Sent:
    """One ticket, sent by the client, and what came back."""

    ticket: str
    answer: str
    tool: str
    advice: str


@dataclass
class Story:
    """All that was seen."""

    folder: Path
    trial: str = ""
    advised: list[Sent] = field(default_factory=list)
    enforced: list[Sent] = field(default_factory=list)
    streamed: str = ""
    switched_s: float = 0.0
    killed_s: float = 0.0
    refusal: openai.PermissionDeniedError | None = None
    before: WorkflowCard | None = None
    between: WorkflowCard | None = None
    """When the route is enforced, before the tickets are sent again."""
    after: WorkflowCard | None = None
    said: str = ""
    asked: int = 0
    """Requests that reached the endpoint."""
    broken: list[str] = field(default_factory=list)
    """Requests that failed while the route was changed."""

    @property
    def saving(self) -> MeasuredSaving:
        assert self.after is not None
        assert self.after.saving is not None
        return self.after.saving


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("company") / "demo"
    clearbar("init", "--demo", str(folder))
    tickets = tickets_of(folder)
    answers = {each["input"]: each["answers"]["opus"] for each in tickets}
    with Upstream(
        lambda body: answers[body["messages"][-1]["content"]], key="sk-upstream", usage=usage_of
    ) as upstream:
        change(folder, "https://litellm.example.com/v1", upstream.url)
        seen = Story(folder)
        clearbar("report", "usage", at=folder)
        seen.trial = clearbar("trial", WORKFLOW, at=folder)
        clearbar("gate", at=folder)
        key = json.loads(
            clearbar("route", "key", "create", WORKFLOW, "--by", "it@example.com", "--json",
                     at=folder)
        )["key"]  # fmt: skip
        running = Gateway.start(folder, LITELLM_KEY="sk-upstream")
        try:
            with openai.OpenAI(base_url=f"{running.url}/v1", api_key=key, max_retries=0) as client:
                live(seen, client, tickets)
        finally:
            code = running.stop()
        seen.asked = len(upstream.asked)
    assert code == 0, "\n".join(running.said)
    return seen


def live(seen: Story, client: openai.OpenAI, tickets: Sequence[dict[str, Any]]) -> None:
    """Send tickets while it advises, enforce, send them again, kill."""
    first, second = tickets[:TICKETS], tickets[TICKETS : 2 * TICKETS]
    seen.advised = [sent(client, each) for each in first]
    seen.before = card(seen.folder)
    with busy(client, tickets[-1], seen.broken):
        began = time.monotonic()
        change(seen.folder, 'workflow = "ticket-routing"\nmode = "advise"',
               'workflow = "ticket-routing"\nmode = "enforce"')  # fmt: skip
        until(lambda: any(raw(client, each)[1] == "subject-rules" for each in tickets[-5:]))
        seen.switched_s = time.monotonic() - began
    seen.between = card(seen.folder)
    seen.enforced = [sent(client, each) for each in second]
    held_in = next(each for each in seen.enforced if each.tool == "subject-rules").ticket
    ticket = next(each for each in second if each["id"] == held_in)
    events = client.chat.completions.create(**request(ticket), stream=True)
    seen.streamed = "".join(each.choices[0].delta.content or "" for each in events)
    seen.after = card(seen.folder)
    period = f"{PERIOD.start}..{PERIOD.end}"
    seen.said = clearbar("own", period, "--workflow", WORKFLOW, at=seen.folder)
    until_day = (START + timedelta(days=3650)).isoformat()
    began = time.monotonic()
    clearbar("gate", "override", WORKFLOW, "kill", "--by", "cfo@example.com", "--why",
             "The desk is closed", "--until", until_day, at=seen.folder)  # fmt: skip
    with pytest.raises(openai.PermissionDeniedError) as refused:
        until(lambda: raw(client, tickets[-1])[1] == "nobody")
    seen.killed_s = time.monotonic() - began
    seen.refusal = refused.value


def clearbar(*arguments: str, at: Path | None = None) -> str:
    """What the program says on its standard output; it succeeds."""
    program = [sys.executable, "-m", "clearbar", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, cwd=at, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def change(folder: Path, old: str, new: str) -> None:
    """Change clearbar.toml as an editor does: the new file takes the place of the old one."""
    declared = folder / "clearbar.toml"
    text = declared.read_text(encoding="utf-8")
    assert old in text
    aside = folder / "clearbar.toml.new"
    aside.write_text(text.replace(old, new), encoding="utf-8")
    aside.replace(declared)


def tickets_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "cases" / "ticket-routing.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def usage_of(asked: Asked, text: str) -> dict[str, Any]:
    """As large as the calls in the sample's logs; no two tickets cost the same."""
    more = sum(asked.prompt.encode()) % 6_000
    return {
        "prompt_tokens": 34_000 + more,
        "completion_tokens": 1_600 + len(text),
        "total_tokens": 35_600 + more + len(text),
        "prompt_tokens_details": {"cached_tokens": 22_000},
    }


def request(ticket: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": PROMPT},
            {"role": "user", "content": ticket["input"]},
        ],
        "extra_headers": {"x-clearbar-task": ticket["id"]},
    }


def raw(client: openai.OpenAI, ticket: dict[str, Any]) -> tuple[str, str, str]:
    """Answer, tool and advice, as the client sees them."""
    told = client.chat.completions.with_raw_response.create(**request(ticket))
    answer = told.parse().choices[0].message.content or ""
    return answer, told.headers["x-clearbar-tool"], told.headers.get("x-clearbar-advice", "")


def sent(client: openai.OpenAI, ticket: dict[str, Any]) -> Sent:
    return Sent(ticket["id"], *raw(client, ticket))


class busy:  # noqa: N801 - reads as a verb
    """Another client asks on and on, on a connection of its own; what fails is noted."""

    def __init__(self, like: openai.OpenAI, ticket: dict[str, Any], broken: list[str]) -> None:
        self._client = like.copy(http_client=openai.DefaultHttpxClient())
        self._ticket, self._broken = ticket, broken
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                raw(self._client, self._ticket)
            except openai.OpenAIError as error:
                self._broken.append(str(error))
            time.sleep(0.02)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds, far longer than it may take."""
    give_up = time.monotonic() + 6 * IN_TIME_S
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def card(folder: Path) -> WorkflowCard:
    with Workspace(folder) as workspace:
        cards = workspace.scorecard(PERIOD).cards
    return next(each for each in cards if each.workflow.name == WORKFLOW)


def leak_usd(card: WorkflowCard | None) -> Decimal:
    assert card is not None
    assert card.need is not None
    assert card.need.leak_usd_month is not None
    return card.need.leak_usd_month


@dataclass(frozen=True)
class Call:
    """A charge of the gateway in the ledger."""

    task: str
    arm: str
    cost_usd: float


def calls(folder: Path) -> list[Call]:
    with Workspace(folder) as workspace:
        origins = workspace.ledger.origins()
    return [
        Call(
            each["task_id"],
            labels_of(origins[each["origin_id"]].labels)["arm"],
            float(each["cost_usd"]),
        )
        for each in charges(folder)
        if each["source"] == "gateway"
    ]


def arms_of(story: Story) -> dict[str, set[str]]:
    """Which parts the calls of a ticket played."""
    found: dict[str, set[str]] = {}
    for each in calls(story.folder):
        found.setdefault(each.task, set()).add(each.arm)
    return found


def test_the_trial_needs_no_model(story: Story) -> None:
    assert "subject-rules clears right queue >= 0.95 and is the cheapest of 3 tools" in story.trial


def test_while_it_advises_every_ticket_goes_to_the_model_that_the_client_names(
    story: Story,
) -> None:
    assert {(each.tool, each.advice) for each in story.advised} == {("opus", "tool=subject-rules")}
    arms = arms_of(story)
    assert {arm for each in story.advised for arm in arms[each.ticket]} == {"passed"}


def test_once_it_is_enforced_the_rules_answer_without_a_call_to_the_endpoint(
    story: Story,
) -> None:
    arms = arms_of(story)
    routed = [each for each in story.enforced if each.tool == "subject-rules"]
    assert len(routed) > TICKETS / 2
    assert {arm for each in routed for arm in arms[each.ticket]} <= {"tool", "shadow"}
    away = [each for each in calls(story.folder) if each.arm != "tool"]
    assert story.asked == len(away)


def test_what_the_rules_answer_costs_nothing(story: Story) -> None:
    assert {each.cost_usd for each in calls(story.folder) if each.arm == "tool"} == {0.0}


def test_the_rules_answer_right_in_the_clients_own_wire_format(story: Story) -> None:
    right = {each["id"]: each["reference"] for each in tickets_of(story.folder)}
    routed = [each for each in story.enforced if each.tool == "subject-rules"]
    assert sum(each.answer == right[each.ticket] for each in routed) / len(routed) > 0.95
    assert story.streamed in right.values()


def test_a_fifth_of_the_tickets_stays_on_the_old_tool(story: Story) -> None:
    arms = arms_of(story)
    held = [each for each in story.enforced if each.tool == "opus"]
    assert {arm for each in held for arm in arms[each.ticket]} == {"holdout"}
    assert {each.tool for each in story.enforced} == {"opus", "subject-rules"}
    assert len(held) / TICKETS == pytest.approx(HOLDOUT, abs=0.08)


def test_a_ticket_stays_where_it_is_when_it_is_asked_again(story: Story) -> None:
    assert story.streamed == next(
        each.answer for each in story.enforced if each.tool == "subject-rules"
    )


def test_the_word_in_the_declared_file_is_in_force_within_five_seconds(story: Story) -> None:
    assert 0 < story.switched_s < IN_TIME_S


def test_no_request_fails_while_the_route_changes(story: Story) -> None:
    assert story.broken == []


def test_the_scorecard_shows_the_measured_saving_with_its_interval(story: Story) -> None:
    each, month = story.saving.usd_per_request, story.saving.usd_month
    held = [each.cost_usd for each in calls(story.folder) if each.arm == "holdout"]
    mean = sum(held) / len(held)
    assert each.value == pytest.approx(mean, rel=1e-6)
    assert each.low is not None
    assert each.high is not None
    assert 0 < each.low < each.value < each.high < 2 * mean
    assert story.saving.share == pytest.approx(1.0)
    assert story.after is not None
    days = sum(1 for each in story.after.days if each.calls)
    routed = story.saving.routed_requests
    assert month.value == pytest.approx(each.value * routed * 30 / days)


def test_both_arms_are_counted_whole(story: Story) -> None:
    tools = [each.tool for each in story.enforced]
    assert story.saving.held_out_conversations >= tools.count("opus")
    assert story.saving.routed_conversations >= tools.count("subject-rules")
    assert story.saving.held_out_conversations + story.saving.routed_conversations <= TICKETS + 6


def test_a_tool_without_a_model_is_of_the_tier_none_in_the_card(story: Story) -> None:
    assert story.after is not None
    tiers = {each.model: each.tier for each in story.after.models}
    assert tiers == {MODEL: "frontier", "subject-rules": "none"}


def test_the_card_says_the_saving_in_words(story: Story) -> None:
    flat = " ".join(story.said.split())
    assert f"{story.saving.held_out_conversations} held out" in flat
    assert "a month (95% interval $" in flat


def test_as_many_tickets_leak_a_fifth_of_what_they_leaked_before(story: Story) -> None:
    before, since = leak_usd(story.before), leak_usd(story.after) - leak_usd(story.between)
    assert 0 < since < before * 3 / 10


def test_a_kill_is_enforced_within_five_seconds(story: Story) -> None:
    assert 0 < story.killed_s < IN_TIME_S


def test_the_clients_error_names_the_owner_and_who_can_decide_otherwise(story: Story) -> None:
    assert story.refusal is not None
    assert (story.refusal.status_code, story.refusal.code) == (403, "killed")
    assert "support-lead@example.com" in story.refusal.message
    assert "clearbar gate override ticket-routing fund" in story.refusal.message


def test_every_answer_that_the_client_saw_is_one_charge(story: Story) -> None:
    found = Counter(each.task for each in calls(story.folder) if each.arm != "shadow")
    again = next(each.ticket for each in story.enforced if each.tool == "subject-rules")
    seen = Counter(each.ticket for each in (*story.advised, *story.enforced)) + Counter([again])
    assert {ticket: found[ticket] for ticket in seen} == dict(seen)
