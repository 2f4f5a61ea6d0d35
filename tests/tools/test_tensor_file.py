"""The file of arrays: what is written is read, and damage is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.core.errors import ClearbarError
from clearbar.tools.tensor_file import read_tensors, tensor_bytes, write_tensors

if TYPE_CHECKING:
    from pathlib import Path

ARRAYS = {
    "weights": np.arange(6, dtype=np.float32).reshape(3, 2),
    "idf": np.array([1.5, 2.5]),
    "text": np.frombuffer(b"abc", np.uint8),
    "seen": np.array([2**63], np.uint64),
    "none": np.empty((0, 4)),
}
GOOD = tensor_bytes("{}", ARRAYS)


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(ClearbarError) as caught:
        read_tensors(path)
    return caught.value.message


def with_header(header: dict[str, Any], payload: bytes = b"") -> bytes:
    text = msgspec.json.encode(header)
    return len(text).to_bytes(8, "little") + text + payload


def test_what_is_written_is_read(tmp_path: Path) -> None:
    digest = write_tensors(tmp_path / "x", "about é", ARRAYS)
    found = read_tensors(tmp_path / "x")
    assert (found.description, found.digest) == ("about é", digest)
    assert set(found.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype


def test_arrays_are_not_writable(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x", "", ARRAYS)
    assert not any(each.flags.writeable for each in read_tensors(tmp_path / "x").arrays.values())


def test_arrays_are_aligned(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x", "", ARRAYS)
    assert all(each.flags.aligned for each in read_tensors(tmp_path / "x").arrays.values())


def test_the_same_arrays_give_the_same_bytes() -> None:
    assert tensor_bytes("{}", dict(reversed(ARRAYS.items()))) == GOOD


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x", "", ARRAYS)
    write_tensors(tmp_path / "x", "", ARRAYS)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError, match="cannot be written"):
        write_tensors(tmp_path / "gone" / "x", "", ARRAYS)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClearbarError, match="cannot be read"):
        read_tensors(tmp_path / "gone")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "header"),
        (b"\xff" * 20, "its header does not end within it"),
        (b"\x02" + b"\0" * 7 + b"[]", "its header is not as it should be"),
        (GOOD[:-1], "it is shorter than its header says"),
        (GOOD + b"x", "it is longer or shorter than its header says"),
        (GOOD[:-1] + b"x", "its contents are not those that were written"),
        (with_header({}), "its header is not as it should be"),
        (with_header({"__metadata__": {"description": "", "sha256": ""}}), "not those"),
        (b"PK\x03\x04" + b"\0" * 40, "header"),
        (b"\x04\0\0\0\0\0\0\0" + b"[" * 4, "its header is not as it should be"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in refused(tmp_path / "x", data)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"dtype": "O", "shape": [1], "data_offsets": [0, 8]}, "a kind that is not expected"),
        ({"dtype": "F64", "shape": [1, 1, 1], "data_offsets": [0, 8]}, "a kind that is not"),
        ({"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]}, "a kind that is not expected"),
        ({"dtype": "F64", "shape": [2], "data_offsets": [0, 8]}, "does not stand where"),
        ({"dtype": "F64", "shape": [1], "data_offsets": [4, 12]}, "does not stand where"),
        ({"dtype": "F64", "shape": [2**60], "data_offsets": [0, 2**63]}, "shorter than"),
        ({"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}, "holds what is no number"),
        ({"dtype": "F64", "shape": [1]}, "its header is not as it should be"),
    ],
)
def test_an_array_that_is_not_as_it_should_be_is_refused(
    tmp_path: Path, entry: dict[str, Any], said: str
) -> None:
    header = {"__metadata__": {"description": "", "sha256": ""}, "x": entry}
    payload = np.array([np.nan]).tobytes()
    assert said in refused(tmp_path / "x", with_header(header, payload))


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearbar.tools.tensor_file.MAX_FILE_BYTES", len(GOOD) - 1)
    assert "it is larger than" in refused(tmp_path / "x", GOOD)


@settings(max_examples=60)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_never_goes_unnoticed_or_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed"
    path.write_bytes(GOOD[:at] + bytes([GOOD[at] ^ change]) + GOOD[at + 1 :])
    try:
        found = read_tensors(path)
    except ClearbarError:
        return
    # What may change unseen is the header's own text: names, or the description.
    assert sorted(each.tobytes() for each in found.arrays.values()) == sorted(
        each.tobytes() for each in ARRAYS.values()
    )
