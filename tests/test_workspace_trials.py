"""Trials of a workspace: from clearbar.toml and files to certificates, charges and verdicts."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.tools.upstream import Upstream

from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.core.period import ALL
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOON = datetime(2026, 9, 15, 12, tzinfo=UTC)
DECLARED = """
[[workflow]]
name = "routing"
owner = "desk-lead@example.com"
metric = { name = "right", unit = "ticket", from = "outcomes/routing.csv" }
bar = "%(bar)s"

[[workflow]]
name = "idle"

[[tool]]
name = "rules"
kind = "rules"
file = "rules.toml"

[[tool]]
name = "model"
kind = "openai"
model = "gpt-4o"
url = "%(url)s"
input_usd_per_million = "1"
output_usd_per_million = "2"
settings = { max_tokens = 8 }

[[tool]]
name = "logged"
kind = "anthropic"
model = "claude-haiku-4-5"

[[tool]]
name = "first-rules"
kind = "cascade"
first = "rules"
then = "model"

[[trial]]
workflow = "routing"
cases = "cases.jsonl"
tools = %(tools)s
grade = { kind = "%(grade)s" }
%(more)s
"""
RULES = """
default = "other"

[[rule]]
regex = "pay"
answer = "billing"
"""
CALL = {
    "request_id": "chatcmpl-1",
    "startTime": "2026-09-01T08:00:00Z",
    "endTime": "2026-09-01T08:00:01Z",
    "model": "gpt-4o",
    "custom_llm_provider": "openai",
    "call_type": "acompletion",
    "api_key": "k",
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "metadata": {},
    "team_id": "desk",
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda _: "billing") as server:
        yield server


@pytest.fixture
def opened(tmp_path: Path, prices: Path, upstream: Upstream) -> Iterator[Callable[..., Workspace]]:
    """A workspace whose 200 cases are all answered by "billing", half of them by a rule."""
    made: list[Workspace] = []

    def make(
        bar: str = "right >= 0.8",
        tools: str = '["rules", "model"]',
        grade: str = "exact",
        more: str = "",
        day: datetime = NOON,
    ) -> Workspace:
        text = DECLARED % {
            "bar": bar,
            "url": upstream.url,
            "tools": tools,
            "grade": grade,
            "more": more,
        }
        (tmp_path / "clearbar.toml").write_text(text)
        if not made:
            shutil.copytree(prices, tmp_path / ".clearbar" / "prices")
            (tmp_path / "rules.toml").write_text(RULES)
            write_cases(tmp_path)
        made.append(Workspace(tmp_path, clock=lambda: day))
        return made[-1]

    yield make
    for workspace in made:
        workspace.close()


def write_cases(folder: Path, count: int = 200, **more: Any) -> None:
    lines = [
        json.dumps(
            {
                "id": f"c{number}",
                "input": f"{'pay' if number % 2 else 'bill'} {number}",
                "reference": "billing",
                **more,
            }
        )
        for number in range(count)
    ]
    (folder / "cases.jsonl").write_text("\n".join(lines))


def reason_of(workspace: Workspace, **asked: Any) -> str:
    with pytest.raises(ClearbarError) as raised:
        workspace.trial_forecast("routing", **asked)
    return raised.value.message


def test_a_trial_asks_the_cheapest_first_and_ends_with_the_first_that_clears(
    opened: Callable[..., Workspace],
) -> None:
    certificate = opened().run_trial("routing")
    outcomes = {each.tool: each.outcome for each in certificate.findings}
    assert outcomes == {"rules": "undecided", "model": "clears"}
    assert certificate.winner == "model"


def test_every_call_of_a_trial_is_a_charge_of_its_workflow(
    opened: Callable[..., Workspace],
) -> None:
    workspace = opened()
    certificate = workspace.run_trial("routing")
    [row] = workspace.spend(ALL, "workflow").rows
    assert row.key == "routing"
    assert row.usage.calls == certificate.calls > 0


def test_a_certificate_is_kept_and_holds_while_nothing_changes(
    opened: Callable[..., Workspace],
) -> None:
    made = opened().run_trial("routing")
    assert opened().certificate("routing") == (made, ())


def test_a_second_run_of_the_same_trial_buys_nothing(opened: Callable[..., Workspace]) -> None:
    first = opened().run_trial("routing")
    again = opened().run_trial("routing")
    assert again.spent_usd == first.spent_usd
    assert again.calls == first.calls


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"bar": "right >= 0.85"}, "the bar was"),
        ({"more": 'prompt = "Say more"'}, "the prompt changed"),
        ({"grade": "normalised"}, "the grader or its settings changed"),
        ({"day": NOON + timedelta(days=400)}, "days old"),
        ({"tools": '["rules"]'}, ""),
    ],
)
def test_a_certificate_is_stale_once_what_it_is_about_has_changed(
    opened: Callable[..., Workspace], changed: dict[str, Any], said: str
) -> None:
    opened().run_trial("routing")
    found = opened(**changed).certificate("routing")
    assert found is not None
    assert said in "; ".join(found[1])
    assert bool(found[1]) == bool(said)


def test_a_changed_rule_makes_the_certificate_of_the_rules_stale(
    opened: Callable[..., Workspace],
) -> None:
    workspace = opened(tools='["rules"]')
    workspace.run_trial("routing")
    (workspace.folder / "rules.toml").write_text(RULES + "\n# another\n")
    found = workspace.certificate("routing")
    assert found is not None
    assert found[1] == ("the tool rules changed",)


def test_cases_that_are_gone_make_a_certificate_stale(opened: Callable[..., Workspace]) -> None:
    workspace = opened(tools='["rules"]')
    workspace.run_trial("routing")
    (workspace.folder / "cases.jsonl").unlink()
    found = workspace.certificate("routing")
    assert found is not None
    assert found[1] == ("routing: there is no file cases.jsonl",)


def test_a_budget_is_not_exceeded_and_leaves_the_tool_undecided(
    opened: Callable[..., Workspace],
) -> None:
    certificate = opened().run_trial("routing", budget_usd=Decimal("0.00012"))
    assert certificate.spent_usd <= Decimal("0.00012")
    assert certificate.finding_of["model"].reason == "budget"


def test_a_dry_run_names_what_it_takes_and_asks_nobody(
    opened: Callable[..., Workspace], upstream: Upstream
) -> None:
    asked = len(upstream.asked)
    forecast = opened().trial_forecast("routing")
    assert [each.tool for each in forecast.tools] == ["rules", "model"]
    assert forecast.ceiling_usd is not None
    assert forecast.ceiling_usd > 0
    assert len(upstream.asked) == asked


def test_a_trial_never_costs_more_than_its_dry_run_said(
    opened: Callable[..., Workspace],
) -> None:
    workspace = opened()
    ceiling = workspace.trial_forecast("routing").ceiling_usd
    assert ceiling is not None
    assert workspace.run_trial("routing").spent_usd <= ceiling


def test_only_chosen_tools_are_tried(opened: Callable[..., Workspace]) -> None:
    forecast = opened().trial_forecast("routing", tools=["rules"])
    assert [each.tool for each in forecast.tools] == ["rules"]


def test_logged_answers_are_not_asked_for(opened: Callable[..., Workspace]) -> None:
    workspace = opened(tools='["logged"]')
    write_cases(workspace.folder, answers={"logged": "billing"})
    assert workspace.trial_forecast("routing").ceiling_usd == 0
    certificate = workspace.run_trial("routing")
    assert (certificate.winner, certificate.calls) == ("logged", 0)


def test_a_relative_bar_adds_the_tool_that_it_names(opened: Callable[..., Workspace]) -> None:
    workspace = opened(bar="within 0.05 of model", tools='["rules"]')
    assert workspace.run_trial("routing").incumbent == "model"


def test_a_cascade_asks_the_second_tool_only_where_the_first_is_not_sure(
    opened: Callable[..., Workspace],
) -> None:
    workspace = opened(bar="within 0.1 of model", tools='["first-rules", "model"]')
    certificate = workspace.run_trial("routing")
    finding = certificate.finding_of["first-rules"]
    assert finding.outcome == "clears"
    assert "rules answers where its confidence is at least 1" in finding.note


def test_cases_whose_answers_a_tool_was_made_with_certify_nothing(
    opened: Callable[..., Workspace],
) -> None:
    workspace = opened(tools='["rules"]')
    known = "".join(f"pay {number},billing\n" for number in range(1, 200, 2))
    (workspace.folder / "known.csv").write_text("input,answer\n" + known)
    (workspace.folder / "rules.toml").write_text('[[rule]]\nlookup = "known.csv"\n')
    assert workspace.trial_forecast("routing").cases == 100


def test_where_every_case_was_seen_nothing_can_be_certified(
    opened: Callable[..., Workspace],
) -> None:
    workspace = opened(tools='["rules"]')
    write_cases(workspace.folder, 1)
    (workspace.folder / "known.csv").write_text("input,answer\nbill 0,billing\n")
    (workspace.folder / "rules.toml").write_text('[[rule]]\nlookup = "known.csv"\n')
    assert reason_of(workspace) == "cases.jsonl leaves no case to certify with"


def test_the_tool_in_use_is_known_from_the_ledger_with_what_a_call_costs(
    opened: Callable[..., Workspace],
) -> None:
    workspace = opened()
    usage = workspace.folder / "usage.jsonl"
    usage.write_text(json.dumps(CALL | {"metadata": {"tags": []}, "spend": 0.01}) + "\n")
    text = (workspace.folder / "clearbar.toml").read_text()
    with_rule = text.replace(
        'bar = "right >= 0.8"', 'bar = "right >= 0.8"\nmatch = [{team="desk"}]'
    )
    (workspace.folder / "clearbar.toml").write_text(with_rule)
    workspace.add([str(usage)])
    forecast = workspace.trial_forecast("routing")
    [model] = [each for each in forecast.tools if each.tool == "model"]
    assert model.usd_per_case == workspace.scorecard().cards[0].usage.cost_usd


def test_the_scorecard_names_the_tier_that_a_trial_found(
    opened: Callable[..., Workspace],
) -> None:
    workspace = opened()
    workspace.run_trial("routing")
    later = opened(day=NOON + timedelta(days=1))
    cards = {card.workflow.name: card for card in later.scorecard().cards}
    need = cards["routing"].need
    assert need is not None
    assert (need.tool, need.stale) == ("model", ())


def test_results_of_another_evaluator_become_a_certificate(
    opened: Callable[..., Workspace], tmp_path: Path
) -> None:
    rows = "".join(f"c{n},{tool},1\n" for n in range(90) for tool in ("rules", "elsewhere"))
    (tmp_path / "scores.csv").write_text("case,tool,score\n" + rows)
    workspace = opened()
    scores, certificate = workspace.import_evidence([tmp_path / "scores.csv"], "routing")
    assert len(scores.rows) == 180
    assert certificate.winner == "rules"
    assert workspace.certificate("routing") == (certificate, ())


def test_a_trial_does_not_ask_what_was_imported(
    opened: Callable[..., Workspace], tmp_path: Path, upstream: Upstream
) -> None:
    workspace = opened(tools='["model"]')
    rows = "".join(f"c{n},model,1,0.002\n" for n in range(200))
    (tmp_path / "scores.csv").write_text("case,tool,score,cost_usd\n" + rows)
    workspace.import_evidence([tmp_path / "scores.csv"], "routing")
    asked = len(upstream.asked)
    assert workspace.trial_forecast("routing").ceiling_usd == 0
    certificate = workspace.run_trial("routing")
    assert (certificate.winner, certificate.calls, len(upstream.asked)) == ("model", 0, asked)
    assert "200 scores were recorded elsewhere" in certificate.warnings


def test_of_several_imports_the_newest_score_of_a_case_counts(
    opened: Callable[..., Workspace], tmp_path: Path
) -> None:
    workspace = opened(tools='["model"]')
    for score in (1, 0):
        rows = "".join(f"c{n},model,{score}\n" for n in range(200))
        (tmp_path / "scores.csv").write_text("case,tool,score\n" + rows)
        workspace.import_evidence([tmp_path / "scores.csv"], "routing")
    assert workspace.run_trial("routing").finding_of["model"].outcome == "fails"


def test_what_failed_elsewhere_is_asked_here(
    opened: Callable[..., Workspace], tmp_path: Path
) -> None:
    workspace = opened(tools='["model"]')
    rows = "".join(f"c{n},model,{'' if n % 2 else 1}\n" for n in range(200))
    (tmp_path / "scores.csv").write_text("case,tool,score\n" + rows)
    workspace.import_evidence([tmp_path / "scores.csv"], "routing")
    certificate = workspace.run_trial("routing")
    assert certificate.winner == "model"
    assert certificate.calls > 0


def test_a_certificate_is_stale_once_more_was_imported(
    opened: Callable[..., Workspace], tmp_path: Path
) -> None:
    workspace = opened(tools='["model"]')
    before = workspace.run_trial("routing").identity.cases_digest
    (tmp_path / "scores.csv").write_text("case,tool,score\nc1,model,1\n")
    workspace.import_evidence([tmp_path / "scores.csv"], "routing")
    assert workspace.run_trial("routing").identity.cases_digest != before


def test_an_imported_certificate_is_stale_when_the_bar_changes(
    opened: Callable[..., Workspace], tmp_path: Path
) -> None:
    rows = "".join(f"c{n},elsewhere,1\n" for n in range(90))
    (tmp_path / "scores.csv").write_text("case,tool,score\n" + rows)
    opened().import_evidence([tmp_path / "scores.csv"], "routing")
    found = opened(bar="right >= 0.9").certificate("routing")
    assert found is not None
    assert "the bar was" in found[1][0]


def test_people_label_only_answers_that_are_not_labelled(
    opened: Callable[..., Workspace],
) -> None:
    workspace = opened(tools='["rules"]', grade="person", more="capture = true")
    waiting = workspace.run_trial("routing")
    assert waiting.winner is None
    wanted = workspace.labels_wanted("routing")
    assert wanted
    assert set(wanted[0].answers.values()) <= {"billing", "other"}
    for each in wanted:
        for digest, text in each.answers.items():
            good = float(text == "billing")
            workspace.label("routing", each.case, digest, good, by="desk-lead@example.com")
    assert workspace.run_trial("routing").finding_of["rules"].reason == "futile"


def test_of_a_relative_bar_people_see_only_answers_that_differ(
    opened: Callable[..., Workspace],
) -> None:
    more = "capture = true"
    workspace = opened("within 0.05 of model", '["rules", "model"]', "person", more)
    workspace.run_trial("routing")
    wanted = workspace.labels_wanted("routing")
    assert wanted
    assert all(set(each.answers.values()) == {"billing", "other"} for each in wanted)


def test_people_cannot_judge_answers_whose_texts_are_not_kept(
    opened: Callable[..., Workspace],
) -> None:
    with pytest.raises(ClearbarError, match="declare capture = true"):
        opened(tools='["model"]', grade="person").run_trial("routing")


def test_distilling_learns_from_half_of_the_cases(opened: Callable[..., Workspace]) -> None:
    pytest.importorskip("sklearn", reason="the extra distil is not installed")
    workspace = opened()
    report = workspace.distil("routing", None)
    assert 60 <= report.examples <= 140


def test_a_trial_needs_a_bar(opened: Callable[..., Workspace]) -> None:
    workspace = opened()
    text = (workspace.folder / "clearbar.toml").read_text()
    (workspace.folder / "clearbar.toml").write_text(text.replace('bar = "right >= 0.8"', ""))
    assert reason_of(workspace) == "routing has no bar to clear"


def test_a_workflow_without_a_trial_says_so(opened: Callable[..., Workspace]) -> None:
    with pytest.raises(ClearbarError, match="idle declares no trial"):
        opened().trial_forecast("idle")


def test_a_tool_that_is_not_declared_names_the_nearest(opened: Callable[..., Workspace]) -> None:
    with pytest.raises(UnknownName, match='no tool is called "rulse"'):
        opened().trial_forecast("routing", tools=["rulse"])


def test_a_missing_file_of_cases_is_named(opened: Callable[..., Workspace]) -> None:
    workspace = opened()
    (workspace.folder / "cases.jsonl").unlink()
    assert reason_of(workspace) == "routing: there is no file cases.jsonl"


def test_a_prompt_stands_in_a_file(opened: Callable[..., Workspace], upstream: Upstream) -> None:
    workspace = opened(tools='["model"]', more='prompt_file = "prompt.txt"')
    (workspace.folder / "prompt.txt").write_text("One word only.")
    workspace.run_trial("routing")
    assert "One word only." in str(upstream.asked[-1])


def test_a_prompt_that_is_not_utf8_is_refused(opened: Callable[..., Workspace]) -> None:
    workspace = opened(more='prompt_file = "prompt.txt"')
    (workspace.folder / "prompt.txt").write_bytes(b"\xff\xfe\xfa")
    assert reason_of(workspace) == "prompt.txt is not UTF-8"


def test_restricted_data_is_not_given_to_a_tool_outside(
    opened: Callable[..., Workspace], upstream: Upstream
) -> None:
    workspace = opened(tools='["model"]')
    text = (workspace.folder / "clearbar.toml").read_text()
    restricted = text.replace('bar = "right', 'data_class = "restricted"\nbar = "right')
    (workspace.folder / "clearbar.toml").write_text(restricted)
    asked = len(upstream.asked)
    certificate = workspace.run_trial("routing")
    assert certificate.finding_of["model"].reason == "data_class"
    assert len(upstream.asked) == asked


def test_nothing_is_tried_as_of_another_day(opened: Callable[..., Workspace]) -> None:
    folder = opened().folder
    with (
        Workspace(folder, as_of=NOON.date()) as workspace,
        pytest.raises(ClearbarError, match="nothing is recorded under another day"),
    ):
        workspace.run_trial("routing")


def test_what_a_certificate_is_about_is_read_once_for_all_verdicts(
    opened: Callable[..., Workspace],
) -> None:
    opened().run_trial("routing")
    workspace = opened()
    before = workspace.certificate("routing")
    (workspace.folder / "cases.jsonl").unlink()
    assert workspace.certificate("routing") == before
    assert opened().certificate("routing") != before
