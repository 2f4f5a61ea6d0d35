"""What models write for each token that a stream shows, so that one that is cut can be estimated.

A provider bills what a model has written until the cut. Of that a stream shows a part: reasoning is
mostly hidden, and a token has more or fewer bytes by language. How much more there is, whole
streams of the same tool and model tell: tokens reported, for bytes shown. Text that the model has
written and the network not yet delivered is not estimated: it is little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.serving.costing import BYTES_A_TOKEN

if TYPE_CHECKING:
    from clearbar.route.journal.entry import Held, Outcome
    from clearbar.route.wire.metering import Metered

_HALVED_AT: Final = 2**22
"""Bytes shown, from which older streams count ever less."""
_MOST_MODELS: Final = 1_000
_LEAST: Final = 0.25
_MOST: Final = 100.0


class Written:
    """What one worker has seen since it began."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], tuple[float, float]] = {}
        """By tool and model: tokens reported, bytes shown."""

    def scale(self, held: Held, outcome: Outcome, metered: Metered | None) -> float:
        """Learn from a stream that is whole; return how many tokens stand behind each one shown.

        1 where no whole stream of the tool and model has been seen.
        """
        if metered is None or not held.stream:
            return 1.0
        key = held.tool, held.model
        if metered.usage is not None:
            if outcome == "ok":
                self.learn(held.tool, held.model, metered)
            return 1.0
        tokens, shown = self._sums.get(key, (0.0, 0.0))
        if not tokens:
            return 1.0
        return min(max(tokens * BYTES_A_TOKEN / shown, _LEAST), _MOST)

    def learn(self, tool: str, model: str, metered: Metered) -> None:
        """Learn from a stream that has come whole, and reported its usage.

        One that showed nothing teaches nothing.
        """
        key, shown = (tool, model), metered.output_bytes
        if not shown:
            return
        tokens = 0 if metered.usage is None else metered.usage.get("output_tokens", 0)
        before_tokens, before_shown = self._sums.get(key, (0.0, 0.0))
        if before_shown > _HALVED_AT:
            before_tokens, before_shown = before_tokens / 2, before_shown / 2
        if before_shown or len(self._sums) < _MOST_MODELS:
            self._sums[key] = before_tokens + tokens, before_shown + shown
