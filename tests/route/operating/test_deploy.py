"""What stands in `deploy/` fits the program: metrics, ports, the way to end."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.operating.gateway import SmallGateway
from tests.route.operating.lines import AT_US, ended, held

from clearbar.cli.main import cli
from clearbar.route.journal.entry import Noted, Refused
from clearbar.route.operating.admin_routes import ENDPOINTS
from clearbar.route.operating.feed import Feed
from clearbar.route.operating.metrics import Metrics
from clearbar.route.route import GatewaySettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.route.journal.entry import Entry

DEPLOY = Path(__file__).parents[3] / "deploy"
NAME = re.compile(r"\b(?:clearbar|process)_[a-z_]+\b")


def exposed() -> set[str]:
    """Return the names of all series that there are."""
    metrics = Metrics(SmallGateway())
    lines: list[Entry] = [
        held(),
        ended(),
        Refused(AT_US, "r", "no_key", 401),
        Noted(AT_US, "breaker_open", "x"),
    ]
    Feed([metrics]).take(lines)
    asyncio.run(metrics.refresh())
    return set(re.findall(r"^([a-z_]+)", metrics.page().decode(), re.MULTILINE))


def expressions(panels: list[dict[str, Any]]) -> Iterator[str]:
    for panel in panels:
        yield from (target["expr"] for target in panel.get("targets", ()))
        yield from expressions(panel.get("panels", []))


def test_the_dashboard_asks_only_for_metrics_that_there_are() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    asked = {name for each in expressions(dashboard["panels"]) for name in NAME.findall(each)}
    assert len(asked) > 15
    assert asked - exposed() == set()


def test_every_metric_of_calls_and_money_is_on_the_dashboard() -> None:
    text = (DEPLOY / "grafana-dashboard.json").read_text()
    shown = {
        re.sub(r"_(bucket|sum|count|created)$", "", name)
        for name in exposed()
        if name.startswith("clearbar_") and not name.endswith("_created")
    }
    left_out = {
        "clearbar_budgets_readable",
        "clearbar_build_info",
        "clearbar_start_time_seconds",
        "clearbar_uptime_seconds",
        "clearbar_breaker_openings_total",
    }
    assert {name for name in shown if name not in text} == left_out


def test_the_how_to_names_metrics_and_paths_that_there_are() -> None:
    text = (DEPLOY.parent / "docs" / "how-to" / "operate-the-gateway.md").read_text()
    series = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed()}
    told = {name for name in NAME.findall(text) if name != "clearbar_workflow"}
    assert told - series == set()
    assert [each.path for each in ENDPOINTS if each.path.split("/{hold")[0] not in text] == []


def test_no_two_panels_have_one_id_or_overlap() -> None:
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)


def test_the_sample_for_prometheus_scrapes_the_admin_port() -> None:
    text = (DEPLOY / "prometheus.yml").read_text()
    assert f"127.0.0.1:{GatewaySettings().admin_port}" in text
    assert set(NAME.findall(text)) <= exposed()


def test_the_container_ends_by_the_signal_that_drains_and_publishes_both_ports() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    settings = GatewaySettings()
    assert "STOPSIGNAL SIGTERM" in text
    assert f"EXPOSE {settings.port} {settings.admin_port}" in text
    assert "--require-hashes" in text


@pytest.mark.parametrize("name", ["Containerfile", "clearbar.service"])
def test_what_is_started_is_a_command_that_there_is(name: str) -> None:
    text = (DEPLOY / name).read_text()
    assert re.search(r'route"?,? "?serve', text)
    group: Any = cli.get_command(None, "route")  # type: ignore[arg-type] # it needs no context
    assert "serve" in group.list_commands(None)


def test_the_service_has_longer_to_end_than_a_drain_takes() -> None:
    (seconds,) = re.findall(
        r"^TimeoutStopSec=(\d+)$", (DEPLOY / "clearbar.service").read_text(), re.MULTILINE
    )
    assert int(seconds) > GatewaySettings().drain_s + 10


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_service(tmp_path: Path) -> None:
    text = (DEPLOY / "clearbar.service").read_text()
    unit = tmp_path / "clearbar.service"
    unit.write_text(text.replace("/opt/clearbar/bin/clearbar", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
