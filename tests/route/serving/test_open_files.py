"""A worker may open as many files as its machine lets it, whatever its shell began with."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clearbar.route.serving.open_files import clients_that_fit

RAISED = """
import resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (200, {hard}))
from clearbar.route.serving.open_files import raise_limit
said = raise_limit()
print(said, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(("hard", "expected"), [("hard", None), ("300", "300 300"), ("200", "200")])
def test_the_limit_is_raised_as_far_as_it_goes(hard: str, expected: str | None) -> None:
    code = RAISED.format(hard=hard)
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert said[0] == said[1]
    if expected is None:
        assert int(said[0]) > 200
    else:
        assert said[0] == expected.split()[0]


def test_each_client_leaves_room_for_a_tool() -> None:
    assert clients_that_fit(1024) == 448
    assert clients_that_fit(10) == 1
