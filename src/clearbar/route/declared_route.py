"""What clearbar.toml declares for the gateway: itself, its routes, its teams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clearbar.route.route import GatewaySettings

if TYPE_CHECKING:
    from clearbar.route.route import Capture, Mode
    from clearbar.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class Watch:
    """How a routed tool is watched: how often an alarm may be false."""

    false_alarm_days: int = 730
    """At most one false alarm in so many days, on average."""
    false_alarm_samples: int | None = None
    """At most one in so many graded samples instead; None: in days, at the rate that is seen."""


@dataclass(frozen=True, slots=True)
class DeclaredRoute:
    """One `[[route]]`. A workflow without one has a route all the same, with these defaults."""

    workflow: str
    mode: Mode | None = None
    """None: `enforce` where the policy's mode is that, else `advise`."""
    tool: str | None = None
    """Instead of the cheapest that is certified."""
    fallbacks: tuple[str, ...] | None = None
    """None: the other certified tools, cheapest first, then the old tool."""
    tools: tuple[str, ...] = ()
    """Among which a client may choose; empty: all that the data class permits."""
    holdout_share: float = 0.05
    shadow_share: float = 0.02
    old_tool: str | None = None
    """None: the tool in use, as the certificate knows it."""
    capture: Capture | None = None
    watch: Watch = Watch()
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Team:
    """One `[[team]]`: whose keys may name which workflows."""

    name: str
    workflows: tuple[str, ...] = ()
    line: int | None = None


@dataclass(frozen=True, slots=True)
class DeclaredGateway:
    """The `[gateway]` table."""

    settings: GatewaySettings = GatewaySettings()  # noqa: RUF009 - frozen
    upstreams: tuple[Tool, ...] = ()
    """Tools without a model, named for their protocols."""
    line: int | None = None
    """None where nothing is declared."""
