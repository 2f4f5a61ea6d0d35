"""A company whose calls are known, and what its programs wrote down of them.

Nothing here comes from the ledger's code: prices, times and sums are made here, so that they are
the truth. Each call may be seen by a gateway, a trace, an agent's log and its provider's bill; each
of them misses a tenth of what it should have seen.

Where the trace knows only the span of a call, no agent's log tells of it: if the gateway, which
knows both names, missed it, nothing in the world would say that the two are one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Final

FIRST_DAY_S: Final = 1_788_220_800
"""2026-09-01 00:00 UTC."""
DAYS: Final = 10
_DAY_S: Final = 86_400
_SKEW_S: Final = 120
_MISSING: Final = 0.1

USD_PER_MILLION: Final = {
    "gpt-4o": ("openai", Decimal("2.5"), Decimal("1.25"), Decimal(10)),
    "gpt-4o-mini": ("openai", Decimal("0.15"), Decimal("0.075"), Decimal("0.6")),
    "claude-sonnet-4-5": ("anthropic", Decimal(3), Decimal("0.3"), Decimal(15)),
    "claude-haiku-4-5": ("anthropic", Decimal(1), Decimal("0.1"), Decimal(5)),
}
"""Model -> provider, and the list price of input, of cached input and of output."""
WORKFLOWS: Final = ("letters", "contracts", "search", "triage")
ACCOUNTS: Final = {"openai": "org-sales", "anthropic": "org-research"}
_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used. All input is `fresh` or `cached`."""

    fresh: int
    cached: int
    output: int


@dataclass(frozen=True, slots=True)
class Sight:
    """That a witness saw an attempt, when by its own clock, and what it knows of it."""

    at_s: float
    usage: Usage | None
    """None: it does not say."""
    workflow: bool
    """Whether it knows whose the call is, be it by team, by folder or by name."""


@dataclass(slots=True)
class Attempt:
    """One call of a provider."""

    number: int
    model: str
    workflow: str
    via: str
    """The gateway that it goes through: litellm, clearbar, or none."""
    request: str
    """What a gateway calls the request, which its attempts share."""
    answer_id: str
    trace_id: str
    span_id: str
    began_s: int
    usage: Usage
    """What the provider counts."""
    ending: str
    """ok, cut, failed, or hit: answered from LiteLLM's cache."""
    by_agent: bool
    by_span: bool
    """Whether the trace knows its span alone, and not the answer's id."""
    sights: dict[str, Sight] = field(default_factory=dict)
    """By gateway, trace and agent: what was not missed."""
    again: list[Sight] = field(default_factory=list)
    """Of the trace: cached answers, which it takes for this one."""

    @property
    def provider(self) -> str:
        return USD_PER_MILLION[self.model][0]

    @property
    def day(self) -> int:
        return (self.began_s - FIRST_DAY_S) // _DAY_S

    def cost_of(self, usage: Usage) -> Decimal:
        _, fresh, cached, output = USD_PER_MILLION[self.model]
        sums = usage.fresh * fresh + usage.cached * cached + usage.output * output
        return sums / 1_000_000

    @property
    def billed_usd(self) -> Decimal:
        """What the provider asks for it."""
        return Decimal(0) if self.ending in {"failed", "hit"} else self.cost_of(self.usage)

    @property
    def told(self) -> Usage | None:
        """What the best witness says of it."""
        told = [
            self.sights[name].usage for name in ("gateway", "trace", "agent") if self.sees(name)
        ]
        return next((usage for usage in told if usage is not None), None)

    @property
    def is_attributed(self) -> bool:
        return any(sight.workflow for sight in self.sights.values())

    def sees(self, witness: str) -> bool:
        return witness in self.sights


class Company:
    """Some days of it."""

    def __init__(self, seed: int, calls: int) -> None:
        self.rng = Random(seed)
        self.attempts: list[Attempt] = []
        for _ in range(calls):
            self._call()
        self.days_billed = {
            (provider, day)
            for provider in ACCOUNTS
            for day in range(DAYS)
            if self.rng.random() >= _MISSING
        }
        """Provider and day of which there is a bill."""

    @property
    def seen(self) -> list[Attempt]:
        """The attempts that any log tells of: each is one charge."""
        return [attempt for attempt in self.attempts if attempt.sights]

    @property
    def logged_usd(self) -> Decimal:
        """What the logs say that all calls cost."""
        return sum((_logged(each) for each in self.seen), Decimal(0))

    @property
    def attributed_usd(self) -> dict[str, Decimal]:
        """Workflow -> cost of the calls that are known to be its own."""
        found = dict.fromkeys(WORKFLOWS, Decimal(0))
        for each in self.seen:
            if each.is_attributed:
                found[each.workflow] += _logged(each)
        return found

    @property
    def unpriced(self) -> int:
        """How many calls are seen by nobody who knows what they used."""
        return sum(each.told is None for each in self.seen)

    @property
    def billed_usd(self) -> dict[tuple[str, int], Decimal]:
        """Provider and day -> what the bills say."""
        found = dict.fromkeys(self.days_billed, Decimal(0))
        for each in self.attempts:
            if (each.provider, each.day) in found:
                found[each.provider, each.day] += each.billed_usd
        return found

    @property
    def logged_on_billed_days_usd(self) -> Decimal:
        """What the logs say of the days of which there is a bill."""
        billed = [each for each in self.seen if (each.provider, each.day) in self.days_billed]
        return sum(map(_logged, billed), Decimal(0))

    @property
    def residual_usd(self) -> Decimal:
        """What the bills say beyond the logs of the same days."""
        return sum(self.billed_usd.values(), Decimal(0)) - self.logged_on_billed_days_usd

    def _call(self) -> None:
        """Make a request, with the attempts that it takes."""
        rng = self.rng
        model, workflow = rng.choice(list(USD_PER_MILLION)), rng.choice(WORKFLOWS)
        via = rng.choice(["litellm", "clearbar", "none"])
        request = self._id("", 24)
        trace_id = self._hex(32)
        by_span = via == "clearbar" and rng.random() < 0.4
        by_agent = model.startswith("claude") and not by_span and rng.random() < 0.7
        began = FIRST_DAY_S + rng.randrange(DAYS) * _DAY_S + rng.randrange(600, _DAY_S - 1_200)
        failures = rng.choice([0, 0, 0, 0, 1, 2]) if via != "none" else 0
        for number in range(failures + 1):
            ending = "failed" if number < failures else rng.choices(["ok", "cut"], [9, 1])[0]
            attempt = Attempt(
                number=len(self.attempts),
                model=model,
                workflow=workflow,
                via=via,
                request=request,
                answer_id=self._id("msg_01" if model.startswith("claude") else "chatcmpl-", 22),
                trace_id=trace_id,
                span_id=self._hex(16),
                began_s=began + number,
                usage=Usage(rng.randrange(50, 9_000), self._cached(), rng.randrange(20, 900)),
                ending=ending,
                by_agent=by_agent and ending != "failed",
                by_span=by_span,
            )
            self._let_see(attempt)
            self.attempts.append(attempt)
        if via == "litellm" and attempt.ending == "ok" and rng.random() < 0.2:
            self._hit(attempt)

    def _cached(self) -> int:
        return self.rng.choice([0, 0, self.rng.randrange(1_024, 6_000)])

    def _let_see(self, attempt: Attempt) -> None:
        """Have the witnesses of an attempt see it, each as well as it can."""
        ending, usage = attempt.ending, attempt.usage
        if attempt.via != "none":
            estimated = Usage(usage.fresh, usage.cached, usage.output // 2)
            nothing = Usage(0, 0, 0)
            at_gateway: dict[str, Usage | None] = {"ok": usage, "failed": nothing}
            at_gateway["cut"] = estimated if attempt.via == "clearbar" else None
            self._see(attempt, "gateway", at_gateway[ending], knows=self.rng.random() < 0.8)
        if attempt.via == "none" or ending != "failed" or attempt.by_span:
            whole = usage if ending == "ok" else None
            self._see(attempt, "trace", whole, knows=self.rng.random() < 0.6)
        if attempt.by_agent:
            begun = Usage(usage.fresh, usage.cached, 1)
            said = begun if ending == "cut" else usage
            self._see(attempt, "agent", said, knows=self.rng.random() < 0.9)

    def _see(self, attempt: Attempt, witness: str, usage: Usage | None, *, knows: bool) -> None:
        if self.rng.random() >= _MISSING:
            at_s = attempt.began_s + self.rng.uniform(-_SKEW_S, _SKEW_S)
            attempt.sights[witness] = Sight(round(at_s, 3), usage, knows)

    def _hit(self, original: Attempt) -> None:
        """Ask the same again: LiteLLM answers, for nothing, with the first answer's id."""
        rng = self.rng
        later = rng.randrange(
            60, FIRST_DAY_S + (original.day + 1) * _DAY_S - original.began_s - 300
        )
        hit = Attempt(
            number=len(self.attempts),
            model=original.model,
            workflow=original.workflow,
            via="litellm",
            request=self._id("", 24),
            answer_id=original.answer_id,
            trace_id=self._hex(32),
            span_id=self._hex(16),
            began_s=original.began_s + later,
            usage=original.usage,
            ending="hit",
            by_agent=False,
            by_span=False,
        )
        self._see(hit, "gateway", Usage(0, 0, 0), knows=rng.random() < 0.8)
        if "trace" in original.sights and rng.random() >= _MISSING:
            knows = original.sights["trace"].workflow
            original.again.append(Sight(hit.began_s + 0.0, original.usage, knows))
        self.attempts.append(hit)

    def _id(self, prefix: str, length: int) -> str:
        return prefix + "".join(self.rng.choices(_ALPHABET, k=length))

    def _hex(self, length: int) -> str:
        return f"{self.rng.randrange(1, 16**length):0{length}x}"


def _logged(attempt: Attempt) -> Decimal:
    return Decimal(0) if attempt.told is None else attempt.cost_of(attempt.told)
