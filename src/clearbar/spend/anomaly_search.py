"""Finds the anomalies among charges: two passes, a histogram of costs and what lies beyond."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from clearbar.spend import queries
from clearbar.spend.anomalies import STEPS, Anomalies, Anomaly, dollars, greatest_first, usual

if TYPE_CHECKING:
    from collections.abc import Mapping

    import narwhals as nw

    from clearbar.spend.charge import Origin
    from clearbar.spend.engine import Engine

NO_ANOMALIES: Final = Anomalies((), 0, 0)


def anomalies_of(
    engine: Engine,
    charges: nw.LazyFrame[Any],
    origins: Mapping[int, Origin],
    workflows: Mapping[int, str],
) -> Anomalies:
    """Return the calls that cost far more than is usual for their workflow and model.

    `workflows` says whose each origin is.
    """
    kinds = {key: (name, origins[key].model) for key, name in workflows.items()}
    names = list(dict.fromkeys(kinds.values()))
    numbers = {name: number for number, name in enumerate(names)}
    owners = [(key, numbers[kind]) for key, kind in kinds.items()]
    calls = queries.attributed(charges, engine.table({"origin_id": int, "workflow": int}, owners))
    stepped = queries.cost_steps(calls, STEPS)
    counted: dict[int, dict[int, int]] = defaultdict(dict)
    for number, step, count in engine.rows(queries.counted_steps(stepped)):
        counted[number][step] = count
    known = {number: each for number, steps in counted.items() if (each := usual(steps))}
    fences = [(number, each.fence) for number, each in known.items()]
    beyond = queries.beyond(stepped, engine.table({"workflow": int, "fence": int}, fences))
    found = (
        Anomaly(
            charge_id=charge_id,
            day=day,
            workflow=names[number][0],
            origin=origins[key],
            basis=basis,
            cost_usd=cost_usd,
            usual_usd=dollars(known[number].median),
        )
        for charge_id, key, number, day, basis, cost_usd in engine.rows(beyond)
    )
    return Anomalies(greatest_first(found), len(known), len(counted) - len(known))
