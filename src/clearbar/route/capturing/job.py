"""What a worker hands to the process that writes captured requests, and how it is framed."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from typing import BinaryIO

MAX_JOB_BYTES: Final = 64 * 2**20
_LENGTH: Final = struct.Struct("<I")


class Job(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One request with its answer, and how it is to be kept."""

    workflow: str
    at_us: int
    tool: str
    input: str
    prompt: str
    answer: str
    cluster: str
    redact: tuple[str, ...]
    protect: str


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Job)


def framed(job: Job) -> bytes:
    """Return a job as bytes, its length in front."""
    body = _encoder.encode(job)
    return _LENGTH.pack(len(body)) + body


def read_job(stream: BinaryIO) -> Job | None:
    """Return the next job; None at the end, or where the writer of it died within one.

    Raises:
        ValueError: when what comes is no job.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MAX_JOB_BYTES:
        raise ValueError("a job is longer than any may be")
    body = stream.read(length)
    return _decoder.decode(body) if len(body) == length else None
