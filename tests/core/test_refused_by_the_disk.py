"""What the disk refuses: the file or folder, and the way out."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from clearbar.core.errors import refused

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_who_may_not_write_is_told_the_nearest_folder_that_is_there(
    tmp_path: Path, number: int
) -> None:
    path = tmp_path / "gone" / "file"
    what, hint = refused(path, OSError(number, os.strerror(number)))
    assert what.startswith(f"{path} cannot be read or written: ")
    assert hint == f"let this user write to {tmp_path}, or take another workspace: --workspace DIR"


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.ENOTDIR, "move it away"),
        (errno.EIO, "clearbar check"),
    ],
)
def test_each_refusal_has_its_own_way_out(number: int, way_out: str) -> None:
    assert way_out in refused("/some/where", OSError(number, os.strerror(number)))[1]


def test_an_error_without_a_number_is_told_in_its_own_words() -> None:
    assert refused("x", OSError("Odd"))[0] == "x cannot be read or written: odd"
