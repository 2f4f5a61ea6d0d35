"""What would change a verdict, and who can do it: one sentence per rule. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.core.money import usd
from clearbar.gate.findings import cheapest_certified

if TYPE_CHECKING:
    from clearbar.gate.facts import Facts


def declare_owner(facts: Facts) -> str:
    """Have somebody answer for it, or end it."""
    return f"Whoever runs it declares `owner` {_place(facts)}, or switches it off."


def declare_metric(facts: Facts) -> str:
    """Have something measured, or end it."""
    return f"{_who(facts)} declares `metric` {_place(facts)}, or switches it off."


def obey_kill_rule(facts: Facts) -> str:
    """Take the declared way out, or change it in the open."""
    return f"{_who(facts)} switches it off, or changes its `kill` {_place(facts)} in a review."


def end_pause(facts: Facts) -> str:
    """End the pause one way or the other."""
    return f"{_who(facts)} mends what it was paused for, or switches it off."


def bring_data_home(facts: Facts) -> str:
    """Keep the data inside, or correct its class."""
    return (
        f"{_who(facts)} moves it to a tool of a provider in `inhouse_providers`, "
        f"or corrects `data_class` {_place(facts)}."
    )


def defend(facts: Facts) -> str:
    """Have the owner stand up for it."""
    return f"{_who(facts)} defends it: clearbar gate defend {facts.workflow.name}"


def send_outcomes(facts: Facts) -> str:
    """Have what is declared as its measure arrive."""
    metric = facts.workflow.metric
    what = f"{metric.name} from {metric.source}" if metric else "its outcomes"
    return f"{_who(facts)} records {what}."


def find_tool(facts: Facts) -> str:
    """Try other tools, or correct the bar."""
    return f"{_who(facts)} runs a trial of other tools, or changes `bar` {_place(facts)}."


def fit_budget(facts: Facts) -> str:
    """Spend less, or raise the budget."""
    return f"{_who(facts)} spends less, or has `budget_usd_month` raised {_place(facts)}."


def earn_more(facts: Facts) -> str:
    """Turn the return, or correct the worth."""
    return (
        f"{_who(facts)} lowers the cost per good outcome, or corrects `worth_usd` {_place(facts)}."
    )


def explain_tokens(facts: Facts) -> str:
    """Find the growth, to undo or explain it."""
    return f"{_who(facts)} finds what grew: clearbar spend --by model, then by label."


def switch_tool(facts: Facts) -> str:
    """Put the cheaper tool in force."""
    cheaper = cheapest_certified(facts)
    return f"{_who(facts)} puts {cheaper.name if cheaper else 'the cheaper tool'} in force."


def try_again(facts: Facts) -> str:
    """Have a new trial say which tool is enough now."""
    return f"{_who(facts)} tries the tools again: clearbar trial {facts.workflow.name}"


def keep_on(facts: Facts) -> str:
    """Name the owner's own next step, else what keeps the verdict."""
    if facts.workflow.next_step:
        return facts.workflow.next_step
    if facts.defence_ends is None:
        return f"{_who(facts)} has nothing to do until it spends."
    budget = facts.workflow.budget_usd_month
    within = f", within {usd(budget)} a month" if budget is not None else ""
    return f"{_who(facts)} defends it by {facts.defence_ends}{within}."


def _who(facts: Facts) -> str:
    return facts.workflow.owner or "Whoever runs it"


def _place(facts: Facts) -> str:
    line = f":{facts.workflow.line}" if facts.workflow.line else ""
    return f"in clearbar.toml{line}"
