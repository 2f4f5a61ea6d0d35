"""A workspace whose trial is judged by a model, and the model corrected by people."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests import letters
from tests.tools.upstream import Upstream

from clearbar.core.errors import ClearbarError
from clearbar.trial.certifying.certificate import LABELS_WANTED
from clearbar.trial.proof.judge import JUDGE_IS_THE_TRUTH
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

NOON = datetime(2026, 9, 15, 12, tzinfo=UTC)


def answer(body: Mapping[str, Any]) -> str:
    if body["model"] != "judge":
        return "Dear friend"
    flags = "4 please" in str(body["messages"][-1]["content"])
    return '{"verdict": "fail"}' if flags else '{"verdict": "pass"}'


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(answer) as server:
        yield server


@pytest.fixture
def opened(tmp_path: Path, prices: Path, upstream: Upstream) -> Iterator[Callable[..., Workspace]]:
    made: list[Workspace] = []

    def make(
        share: float | None = 0.4, capture: str = "true", bar: str = "right >= 0.7"
    ) -> Workspace:
        told = "" if share is None else f", label_share = {share}"
        judged = f'grade = {{ kind = "judge", tool = "judge", criteria = "polite"{told} }}'
        tools = [letters.endpoint(name, upstream.url) for name in ("small", "judge")]
        tried = letters.trial("small", judged, f"capture = {capture}")
        declared = "".join([letters.workflow(bar), *tools, tried])
        (tmp_path / "clearbar.toml").write_text(declared)
        if not made:
            shutil.copytree(prices, tmp_path / ".clearbar" / "prices")
            rows = ({"id": f"c{n}", "input": f"write {n} please"} for n in range(150))
            letters.write_cases(tmp_path, rows)
        made.append(Workspace(tmp_path, clock=lambda: NOON))
        return made[-1]

    yield make
    for workspace in made:
        workspace.close()


def labelled(workspace: Workspace, score: float) -> int:
    """Give every label that is wanted; return how many there were."""
    given = 0
    for each in workspace.labels_wanted("letters"):
        for digest in each.answers:
            workspace.label("letters", each.case, digest, score, by="lead@example.com")
            given += 1
    return given


def test_people_correct_the_judge_until_the_trial_is_decided(
    opened: Callable[..., Workspace], upstream: Upstream
) -> None:
    workspace = opened()
    asked = len(upstream.asked)
    certificate = workspace.run_trial("letters")
    assert LABELS_WANTED in certificate.warnings
    assert workspace.certificate("letters") is None
    given, rounds = 0, 0
    while LABELS_WANTED in certificate.warnings:
        given, rounds = given + labelled(workspace, 1.0), rounds + 1
        assert rounds < 9
        certificate = workspace.run_trial("letters")
    assert certificate.winner == "small"
    assert 0 < certificate.finding_of["small"].labels <= given < 150
    assert JUDGE_IS_THE_TRUTH not in certificate.warnings
    assert '"label_share":"0.4"' in certificate.identity.grader
    assert len(upstream.asked) - asked == certificate.calls
    assert workspace.labels_wanted("letters") == []


def test_another_share_makes_the_certificate_stale(opened: Callable[..., Workspace]) -> None:
    workspace = opened()
    while LABELS_WANTED in workspace.run_trial("letters").warnings:
        labelled(workspace, 1.0)
    assert found_stale(workspace) == ()
    for other in (0.5, None):
        assert found_stale(opened(other)) == ("the grader or its settings changed",)


def found_stale(workspace: Workspace) -> tuple[str, ...]:
    found = workspace.certificate("letters")
    assert found is not None
    return found[1]


def test_without_a_share_the_certificate_says_that_the_judge_is_the_truth(
    opened: Callable[..., Workspace],
) -> None:
    workspace = opened(None, "false")
    certificate = workspace.run_trial("letters")
    assert JUDGE_IS_THE_TRUTH in certificate.warnings
    assert certificate.finding_of["small"].labels == 0


def test_people_who_correct_a_judge_have_to_see_the_answers(
    opened: Callable[..., Workspace],
) -> None:
    with pytest.raises(ClearbarError, match="declare capture = true"):
        opened(capture="false").trial_forecast("letters")


def test_a_forecast_counts_with_the_share(opened: Callable[..., Workspace]) -> None:
    def least(share: float | None) -> int:
        [tool] = opened(share).trial_forecast("letters").tools
        assert tool.least_cases is not None
        return tool.least_cases

    assert least(None) < least(0.6) < least(0.4)


def test_a_forecast_of_a_relative_bar_counts_with_the_share(
    opened: Callable[..., Workspace],
) -> None:
    tools = opened(bar="within 0.2 of judge").trial_forecast("letters").tools
    assert tools[0].least_cases is not None
