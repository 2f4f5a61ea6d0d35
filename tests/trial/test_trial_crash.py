"""Kill -9 during a trial, at any moment: nothing is bought twice, nothing is forgotten.

`python -m tests.trial.test_trial_crash 100` kills as often as it is told and prints what it found.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.trial.running import World, endpoint

from clearbar.core.period import ALL
from clearbar.own.workflow import Bar
from clearbar.spend.reading import LedgerReading
from clearbar.spend.storage.ledger import Ledger
from clearbar.spend.storage.verify import verify_ledger
from clearbar.trial.certifying.certificate import last, save
from clearbar.trial.identity import question_digest
from clearbar.trial.running.charges import charge_calls
from clearbar.trial.running.evidence import now
from clearbar.trial.trial import Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerProcess


KILLS: Final = 12
CONCURRENCY: Final = 4
CASES: Final = 220
TOOLS: Final = ("a", "b")
SECONDS: Final = 0.004
"""What the endpoint takes for an answer."""


def cases_of(life: str) -> tuple[Case, ...]:
    return tuple(Case(f"c{n}", f"{life} question {n}", "yes") for n in range(CASES))


def answers_of(lives: list[str]) -> dict[str, dict[str, str]]:
    """Return what each tool answers: a is right in two of three cases, b in 24 of 25."""
    wrong = {"a": 3, "b": 25}
    return {
        tool: {
            case.input: "no" if place % wrong[tool] == wrong[tool] - 1 else "yes"
            for life in lives
            for place, case in enumerate(cases_of(life))
        }
        for tool in TOOLS
    }


def run_trial(folder: Path, url: str, life: str) -> None:
    """Run a life's trial to its end: what is killed."""
    with closing(World(folder)) as world:
        tools = [endpoint(name, url, concurrency=CONCURRENCY) for name in TOOLS]
        certificate = world.run(world.trial(tools, cases_of(life), Bar(at_least=0.9)))
        ledger = Ledger(folder / "ledger")
        charge_calls(world.store, ledger, world.book, now())
        ledger.close()
        save(world.store, certificate)


@dataclass
class Figures:
    """What was found over all kills."""

    kills: int = 0
    lives: int = 0
    calls: int = 0
    lost_calls: int = 0
    most_lost_in_a_kill: int = 0
    killed_in_flight: int = 0
    """Kills with at least one call under way."""
    answered_and_asked_again: int = 0
    asked_without_an_attempt: int = 0
    repeated_without_a_lost_call: int = 0
    left_open: int = 0
    other_certificates: int = 0
    wrong_charges: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        counted = (
            self.answered_and_asked_again,
            self.asked_without_an_attempt,
            self.repeated_without_a_lost_call,
            self.left_open,
            self.other_certificates,
            self.wrong_charges,
            len(self.problems),
        )
        return sum(counted)


class Lives:
    """Trials that are killed and run again until each comes to its end."""

    def __init__(self, folder: Path, kills: int, rng: Random) -> None:
        self.figures = Figures()
        self._folder, self._rng, self._kills = folder, rng, kills
        self._log = folder / "asked.jsonl"
        self._latest_s = 1.0
        """The latest moment of a kill; it follows how fast the machine is just now."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            ["tests.trial.running", "clearbar.spend.storage.ledger"]
        )

    def live(self) -> Figures:
        """Kill as often as was said; return what was found."""
        names = [f"life-{number}" for number in range(self._kills + 1)]
        (self._folder / "answers.json").write_text(json.dumps(answers_of(names)))
        command = [sys.executable, "-m", "tests.tools.upstream", "--seconds", str(SECONDS)]
        command += ["--answers", str(self._folder / "answers.json"), "--log", str(self._log)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upstream:
            assert upstream.stdout is not None
            url = f"http://127.0.0.1:{int(upstream.stdout.readline())}/v1"
            try:
                self._all(names, url)
            finally:
                upstream.kill()
        return self.figures

    def _all(self, names: list[str], url: str) -> None:
        self._essence_of("warm", names[0], url)  # pays for what is loaded once
        began = time.monotonic()
        undisturbed = self._essence_of(names[0], names[0], url)
        ended = time.monotonic()
        assert self._essence_of(names[0], names[0], url) == undisturbed
        again_s = time.monotonic() - ended
        self._latest_s = again_s + 0.6 * max(ended - began - again_s, 0.1)
        for name in names[1:]:
            if self.figures.kills < self._kills:
                self._life(name, url, undisturbed)

    def _life(self, name: str, url: str, undisturbed: object) -> None:
        while self.figures.kills < self._kills:
            process = self._started(name, name, url)
            process.join(self._rng.uniform(0.0, self._latest_s))
            process.kill()
            process.join()
            if process.exitcode == 0:
                self._latest_s *= 0.7
                break
            assert process.exitcode == -9, f"it failed by itself with {process.exitcode}"
            self._died(name)
        self.figures.lives += 1
        self.figures.other_certificates += self._essence_of(name, name, url) != undisturbed
        self._account(name)

    def _died(self, name: str) -> None:
        self.figures.kills += 1
        if not (self._folder / name / "facts.db").exists():
            return
        with closing(World(self._folder / name)) as world:
            open_calls = world.ends().count("open")
        self.figures.killed_in_flight += open_calls > 0
        self._latest_s *= 1.0 if open_calls else 1.1
        self.figures.most_lost_in_a_kill = max(self.figures.most_lost_in_a_kill, open_calls)

    def _essence_of(self, folder: str, life: str, url: str) -> object:
        """Run a trial to its end; return all of its certificate but times and money."""
        process = self._started(folder, life, url)
        process.join()
        assert process.exitcode == 0
        with closing(World(self._folder / folder)) as world:
            certificate = last(world.store, "letters")
        assert certificate is not None
        findings = tuple(
            replace(each, calls=0, spent_usd=Decimal(0), spent_unpriced_calls=0)
            for each in certificate.findings
        )
        warnings = [each for each in certificate.warnings if "lost" not in each]
        return findings, certificate.winner, certificate.incumbent, warnings

    def _account(self, name: str) -> None:
        """Compare what the endpoint was asked with what the store and the ledger say."""
        asked = Counter(self._asked(name))
        with closing(World(self._folder / name)) as world:
            rows = world.store.rows(
                "SELECT tool, case_digest, coalesce(ended, 'open') FROM attempt"
                " LEFT JOIN attempt_end USING (attempt_id)"
            )
            ends = Counter((str(tool), str(case), str(end)) for tool, case, end in rows)
            ledger = Ledger(self._folder / name / "ledger")
            usage = LedgerReading(ledger).by_day(ALL).values()
            self.figures.problems += [each.what for each in verify_ledger(ledger)]
            ledger.close()
        found, lost = self.figures, sum(n for key, n in ends.items() if key[2] == "lost")
        found.calls += sum(asked.values())
        found.lost_calls += lost
        found.left_open += sum(n for key, n in ends.items() if key[2] == "open")
        for (tool, case), times in asked.items():
            answered, dead = ends[tool, case, "answered"], ends[tool, case, "lost"]
            found.answered_and_asked_again += answered > 1
            found.asked_without_an_attempt += times > answered + dead
            found.repeated_without_a_lost_call += times - 1 > dead
        charged = (sum(each.calls for each in usage), sum(each.calls_unpriced for each in usage))
        found.wrong_charges += charged != (sum(ends.values()), lost)

    def _asked(self, name: str) -> Iterator[tuple[str, str]]:
        digests = {case.input: question_digest(case) for case in cases_of(name)}
        for line in self._log.read_text().splitlines():
            noted = json.loads(line)
            if noted["event"] == "asked" and noted["prompt"] in digests:
                yield noted["model"], digests[noted["prompt"]]

    def _started(self, folder: str, life: str, url: str) -> ForkServerProcess:
        place = self._folder / folder
        place.mkdir(exist_ok=True)
        process = self._context.Process(target=run_trial, args=(place, url, life))
        process.start()
        return process


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    return Lives(tmp_path_factory.mktemp("lives"), KILLS, Random(3)).live()


@pytest.mark.slow
def test_processes_really_die_with_calls_in_flight(figures: Figures) -> None:
    assert figures.kills == KILLS
    assert figures.killed_in_flight > KILLS / 4


@pytest.mark.slow
def test_no_answered_case_is_asked_again(figures: Figures) -> None:
    assert figures.calls > 0
    assert figures.answered_and_asked_again == 0


@pytest.mark.slow
def test_a_call_is_repeated_only_where_one_was_in_flight_and_is_recorded_as_lost(
    figures: Figures,
) -> None:
    assert figures.repeated_without_a_lost_call == 0
    assert figures.most_lost_in_a_kill <= CONCURRENCY * len(TOOLS)


@pytest.mark.slow
def test_no_call_is_forgotten(figures: Figures) -> None:
    assert (figures.asked_without_an_attempt, figures.left_open) == (0, 0)


@pytest.mark.slow
def test_every_call_is_one_charge_and_the_lost_ones_are_unpriced(figures: Figures) -> None:
    assert (figures.wrong_charges, figures.problems) == (0, [])


@pytest.mark.slow
def test_it_ends_in_the_certificate_of_an_undisturbed_run(figures: Figures) -> None:
    assert figures.lives > 0
    assert figures.other_certificates == 0


def main(arguments: list[str]) -> Any:
    """Kill as often as the first argument says; print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Lives(Path(folder), int(arguments[0]), Random(1)).live()
    sys.stdout.write(f"{figures}\n")
    return figures.faults


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
