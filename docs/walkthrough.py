"""Pages whose examples are run: the marked blocks of a page, in order, in one shell.

<!-- run -->              before a `sh` block: it is run as it stands, and must succeed
<!-- output of: CMD -->   before a `console` block: CMD is run, and the block becomes what it shows
<!-- add to: FILE -->     before a block of any kind: its text goes to the end of FILE
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

Verb = Literal["run", "output of", "add to"]

_BLOCK: Final = re.compile(
    r"^<!-- (?P<verb>run|output of|add to)(?:: (?P<what>.+?))? -->\n"
    r"```(?P<language>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_END: Final = "\x1e"
_BASH: Final = "/bin/bash"
_KEPT: Final = ("COV", "PYTHONPATH")
"""What the steps see of our environment: how coverage is measured, and where the program is."""
_PLACE: Final = "/home/you"
"""What stands in the pages for the folder in which they are run."""


@dataclass(frozen=True, slots=True)
class Step:
    """A marked block."""

    verb: Verb
    what: str
    """The command of `output of`, the file of `add to`."""
    body: str

    @property
    def script(self) -> str:
        """Shell that does the step."""
        match self.verb:
            case "run":
                return self.body
            case "output of":
                return self.what
            case "add to":
                folder = Path(self.what).parent
                return f"mkdir -p '{folder}'; cat >>'{self.what}' <<'{_END}'\n{self.body}{_END}"


def steps_of(page: str) -> list[Step]:
    """Return the marked blocks of a page in their order."""
    return [_step(found) for found in _BLOCK.finditer(page)]


def refreshed(page: str, folder: Path) -> str:
    """Return the page with every shown output as the program gives it today, run in `folder`.

    Raises:
        RuntimeError: when a step that has to succeed does not.
    """
    shown = iter(run(steps_of(page), folder))

    def block(found: re.Match[str]) -> str:
        step, text = _step(found), next(shown)
        if step.verb != "output of":
            return found[0]
        return f"<!-- output of: {step.what} -->\n```console\n$ {step.what}\n{text}```"

    return _BLOCK.sub(block, page)


def run(steps: Sequence[Step], folder: Path) -> list[str]:
    """Run the steps in one shell and return what each shows.

    Raises:
        RuntimeError: when a step that has to succeed does not.
    """
    script = "".join(f"{{ {step.script}\n}} 2>&1\necho '{_END}'$?\n" for step in steps)
    done = subprocess.run(
        [_BASH],
        input=script,
        capture_output=True,
        check=True,
        cwd=folder,
        encoding="utf-8",
        env=_environment(folder),
    )
    parts = re.split(rf"{_END}(\d+)\n", done.stdout)
    for step, text, code in zip(steps, parts[0::2], parts[1::2], strict=False):
        if "Traceback (most recent call last)" in text or (
            step.verb != "output of" and code != "0"
        ):
            raise RuntimeError(f"{step.script}\nends with {code}:\n{text}")
    return [_tidy(text, folder) for text in parts[0:-1:2]]


def _step(found: re.Match[str]) -> Step:
    return Step(cast("Verb", found["verb"]), found["what"] or "", found["body"])


def _tidy(text: str, folder: Path) -> str:
    lines = text.replace(str(folder.resolve()), _PLACE).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name.startswith(_KEPT)}
    programs = (str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin")
    return kept | {
        "PATH": ":".join(programs),
        "HOME": str(folder),
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
        "TZ": "UTC",
    }
