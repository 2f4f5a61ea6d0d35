"""Named arrays and a description in one file that runs nothing when it is read.

The layout is that of safetensors: eight bytes that say how long the header is (little endian), a
JSON header with kind, shape and place of each array, then the arrays, back to back. There is
nothing to unpack, so a file is never larger than it looks, and nothing to unpickle. The
description stands in `__metadata__` with the SHA-256 of the arrays, so that damage shows.
"""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MAX_FILE_BYTES: Final = 512 * 1024 * 1024
MAX_HEADER_BYTES: Final = 8 * 1024 * 1024
MAX_DIMENSIONS: Final = 2
_LENGTH_BYTES: Final = 8
_METADATA: Final = "__metadata__"
_KINDS: Final = {"F32": "<f4", "F64": "<f8", "U64": "<u8", "U8": "|u1"}
_KIND_OF: Final = {np.dtype(code): name for name, code in _KINDS.items()}
_HINT: Final = "it is damaged, or not a file that `clearbar trial distil` has made: make it again"


class _Array(msgspec.Struct, forbid_unknown_fields=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class _Metadata(msgspec.Struct):
    description: str
    sha256: str


@dataclass(frozen=True, slots=True)
class TensorFile:
    """What stands in a file."""

    description: str
    """As it was given to `write_tensors`: JSON."""
    arrays: Mapping[str, NDArray[Any]]
    """Not writable."""
    digest: str
    """SHA-256 of the whole file."""


def damaged(path: Path, what: str) -> ClearbarError:
    """Return the error for a file that cannot be trusted."""
    return ClearbarError(f"{path.name} cannot be used: {what}", _HINT)


def read_tensors(path: Path) -> TensorFile:
    """Return the arrays and the description of a file.

    Raises:
        ClearbarError: when it cannot be read, is too large, or does not hold what it says.
    """
    data = _bytes_of(path)
    try:
        return _parsed(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        what = str(error) if type(error) is ValueError else "its header is not as it should be"
        raise damaged(path, what) from error


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        said = error.strerror or str(error)
        raise ClearbarError(f"{path} cannot be read: {said}", "check the path") from error
    if len(data) > MAX_FILE_BYTES:
        raise damaged(path, f"it is larger than {MAX_FILE_BYTES // 1024**2} MB")
    return data


def _parsed(data: bytes) -> TensorFile:
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    start = _LENGTH_BYTES + length
    if len(data) < start or length > MAX_HEADER_BYTES:
        raise ValueError("its header does not end within it")
    header = msgspec.json.decode(data[_LENGTH_BYTES:start], type=dict[str, msgspec.Raw])
    metadata = msgspec.json.decode(header.pop(_METADATA, b"{}"), type=_Metadata)
    entries = {name: msgspec.json.decode(raw, type=_Array) for name, raw in header.items()}
    arrays: dict[str, NDArray[Any]] = {}
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        array = _array(data, start, at, entry)
        arrays[name], at = array, at + array.nbytes
    if start + at != len(data):
        raise ValueError("it is longer or shorter than its header says")
    if sha256(memoryview(data)[start:]).hexdigest() != metadata.sha256:
        raise ValueError("its contents are not those that were written")
    return TensorFile(metadata.description, arrays, sha256(data).hexdigest())


def _array(data: bytes, start: int, at: int, entry: _Array) -> NDArray[Any]:
    if entry.dtype not in _KINDS or len(entry.shape) > MAX_DIMENSIONS or min([0, *entry.shape]):
        raise ValueError("it holds an array of a kind that is not expected")
    kind = np.dtype(_KINDS[entry.dtype])
    count = math.prod(entry.shape)
    if entry.data_offsets != (at, at + count * kind.itemsize):
        raise ValueError("an array in it does not stand where its header says")
    if start + entry.data_offsets[1] > len(data):
        raise ValueError("it is shorter than its header says")
    array = np.frombuffer(data, kind, count, start + at).reshape(entry.shape)
    if kind.kind == "f" and not np.isfinite(array).all():
        raise ValueError("an array in it holds what is no number")
    return array


def write_tensors(path: Path, description: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Write a file in one step: it is there whole, or as it was. Return its digest.

    The same description and arrays give the same bytes.

    Raises:
        ClearbarError: when it cannot be written.
    """
    data = tensor_bytes(description, arrays)
    try:
        _publish(path, data)
    except OSError as error:
        said = error.strerror or str(error)
        raise ClearbarError(f"{path} cannot be written: {said}", "check the folder") from error
    return sha256(data).hexdigest()


def tensor_bytes(description: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of a file. Large elements stand first, so that all are aligned."""
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    entries: dict[str, object] = {}
    blocks: list[bytes] = []
    at = 0
    for name in order:
        array = arrays[name]
        blocks.append(np.ascontiguousarray(array).tobytes())
        end = at + len(blocks[-1])
        entries[name] = _Array(_KIND_OF[array.dtype], list(array.shape), (at, end))
        at = end
    payload = b"".join(blocks)
    metadata = _Metadata(description, sha256(payload).hexdigest())
    header = msgspec.json.encode({_METADATA: metadata, **entries})
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(_LENGTH_BYTES, "little") + header + payload


def _publish(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    staged = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        staged.chmod(0o644)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
