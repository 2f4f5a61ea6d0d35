"""The tutorial works: each of its steps, in order, shows what the page shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.slow


def test_the_tutorial_shows_what_its_steps_show() -> None:
    program = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    tutorial = str(ROOT / "docs" / "tutorial.md")
    done = subprocess.run([*program, tutorial], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_page_that_shows_something_else_fails_the_check_with_a_difference(
    tmp_path: Path,
) -> None:
    page = "<!-- output of: clearbar --version -->\n```console\n$ clearbar --version\nolder\n```\n"
    text = refreshed_in(tmp_path, page)
    assert text.startswith("<!-- output of: clearbar --version -->\n```console\n")
    assert "$ clearbar --version\nclearbar " in text
    assert "older" not in text


def test_a_step_that_fails_stops_the_page(tmp_path: Path) -> None:
    page = "<!-- run -->\n```sh\nclearbar spend\n```\n"
    with pytest.raises(subprocess.CalledProcessError) as failed:
        refreshed_in(tmp_path, page)
    assert "there is no clearbar.toml" in failed.value.stderr


def test_one_step_goes_on_where_the_one_before_has_ended(tmp_path: Path) -> None:
    page = (
        "<!-- add to: a note.txt -->\n```text\nkept\n```\n"
        "<!-- run -->\n```sh\nnote='a note.txt'\n```\n"
        '<!-- output of: cat "$note" -->\n```console\n```\n'
    )
    assert refreshed_in(tmp_path, page).endswith('$ cat "$note"\nkept\n```\n')


def refreshed_in(folder: Path, page: str) -> str:
    """What docs/walkthrough.py makes of a page, run in a folder."""
    program = (
        "import sys; from pathlib import Path; from walkthrough import refreshed;"
        "print(refreshed(sys.stdin.read(), Path(sys.argv[1])), end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        input=page,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "docs",
    )
    return done.stdout
