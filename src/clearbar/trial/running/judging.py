"""The calls of a judge, recorded, paced, paid and charged as a tool's are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError
from clearbar.tools.tool import Answer, Failure, Request, Tool
from clearbar.trial.identity import answering_digest, digest_of, prompt_digest
from clearbar.trial.running.purchase import Bought, NoAnswer, Question

if TYPE_CHECKING:
    from clearbar.trial.running.buying import Buyer
    from clearbar.trial.running.evidence import Evidence


class RecordedJudge:
    """Stands between a grader and the tool that judges: an `Asker` for `make_grader`.

    It is made before the run whose calls it records, which then takes it into use.
    """

    def __init__(self) -> None:
        self.unaffordable = ""
        """Why the budget does not allow another verdict; empty while it does."""
        self.refused = ""
        """Why no verdict can be had at all."""
        self._buyer: Buyer | None = None

    def use(self, buyer: Buyer, evidence: Evidence, workflow: str, trial: str) -> None:
        """Record the calls of this run from now on."""
        self._buyer, self._evidence = buyer, evidence
        self._workflow, self._trial = workflow, trial
        self.unaffordable = self.refused = ""

    async def ask(self, tool: Tool, request: Request) -> Answer | Failure:
        """Ask the judge, again where that may help.

        Raises:
            ClearbarError: outside a run.
        """
        if self._buyer is None:
            raise ClearbarError("no trial is running", "a judge is asked within a trial")
        question = Question(
            tool,
            request,
            "judge",
            self._workflow,
            self._trial,
            answering_digest(tool),
            prompt_digest(request.prompt),
            digest_of("judged", request.input),
        )
        said = await self._buyer.buy(question, self._take)
        if isinstance(said, Bought):
            return said.answer
        self._note(tool, said)
        return Failure(said.what, retry=False)

    def _note(self, tool: Tool, said: NoAnswer) -> None:
        if said.unaffordable:
            self.unaffordable = said.what
        elif said.refused:
            self.refused = f"the judge {tool.name} cannot be asked: {said.what}"

    async def _take(self, bought: Bought) -> None:
        await self._evidence.end(bought.end)
