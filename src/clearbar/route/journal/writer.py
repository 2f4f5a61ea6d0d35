"""The journal that a worker writes: a line survives the worker at once, and the machine soon after.

    .clearbar/route/journal/WORKER/lock          held while the worker lives
                                   00000001.log  lines, see `framing`; full and sealed
                                   00000002.log  being written
                                   00000003.log  made beforehand, so that nobody waits for it

`append` copies a line into a shared mapping: when it returns, no death of the process can lose the
line. `when_durable` waits for the disk: a thread puts all lines that are there on it, in one go,
and everybody who waited is called, in the order in which they asked. Where several waited, the next
commit is begun a moment later, so that more can share it, but at once when no begun call is left
that could. Where no call is in flight and the disk has been quick each time of late, the loop does
without the thread: nobody else would have to wait, and to wake a thread twice costs more than such
a disk does. Nothing runs while nothing is written.

All methods are for the thread of the event loop. Linux, and a file system of this machine.
"""

from __future__ import annotations

import os
import re
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.core.errors import ClearbarError
from clearbar.route.journal.commit import Batch, Committer, commit
from clearbar.route.journal.entry import Ended, Held
from clearbar.route.journal.framing import HEADER, framed
from clearbar.route.journal.lock import take_lock
from clearbar.route.journal.segment import Segment, sync_folder

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from clearbar.route.journal.entry import Entry

SEGMENT_BYTES: Final = 16 * 2**20
GATHER_S: Final = 0.002
"""So long a commit waits for more to join, at most, where several waited for the one before."""
IDLE_COMMIT_S: Final = 1.0
"""So long after it was written a line is put on the disk that nobody waits for."""
SWIFT_S: Final = 0.002
"""A commit that took longer is not one of a quick disk."""
SWIFT_COMMITS: Final = 8
"""So many quick commits one after the other make a quick disk."""
_RETRY_S: Final = 1.0
_LOW_SHARE: Final = 4
"""Without a next segment, this part of the current one is kept for the ends of begun calls."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Journal:
    """The journal of one worker, for as long as its process lives.

    `on_broken` is called once, on the loop, when lines cannot be put on the disk any more; from
    then on `append` raises and nothing becomes durable, so that the worker should end.

    Raises:
        ClearbarError: when the folder cannot be written to, or the name has been used before.
    """

    def __init__(
        self,
        folder: Path,
        worker: str,
        loop: AbstractEventLoop,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        waits_for_disk: bool = True,
        on_broken: Callable[[ClearbarError], None] | None = None,
    ) -> None:
        self._folder = _made(folder, worker)
        self._lock = take_lock(self._folder)
        self._loop = loop
        self._size = segment_bytes
        self._encode = msgspec.json.Encoder().encode
        self._segment = Segment(self._folder, 1, segment_bytes)
        self._map = self._segment.map
        self._at = len(HEADER)
        self._before = 0
        """The position that stands for the beginning of the current segment."""
        self._end = segment_bytes
        """Where the current segment ends; 0 once nothing can be written any more."""
        self._full: list[tuple[Segment, int]] = []
        self._spare = _prepared(self._folder, 2, segment_bytes)
        self._sound: Future[Segment] | None = None
        """The spare segment that is known to be there: it is not asked again."""
        self._retry_at = 0.0
        self._durable = self._at
        self._waiting: deque[tuple[int, Callable[[], None], Callable[[], None] | None]] = deque()
        self._committing = False
        self._gather = False
        self._gathering: TimerHandle | None = None
        self._swift = 0
        """Quick commits since one was not."""
        self._open = 0
        """Calls that have begun and not ended."""
        self._waits_for_disk = waits_for_disk
        self._reminded = False
        self._error: ClearbarError | None = None
        self._on_broken = on_broken
        self._committer = Committer(loop, self._on_durable, self._on_error)

    def append(self, entry: Entry) -> int:
        """Write an entry; return its position. From now on it survives the process.

        Raises:
            ClearbarError: when the disk is full, or the journal broken or closed.
        """
        kind = type(entry)
        if kind is Held:
            return self.append_begun(self._encode(entry))
        end = self._write(self._encode(entry))
        if kind is Ended:
            self._open -= 1
        return end

    def append_begun(self, held: bytes) -> int:
        """Write the beginning of a call, given as the JSON of a `Held`; as `append`."""
        end = self._write(held)
        self._open += 1
        return end

    def _write(self, payload: bytes) -> int:
        line = framed(payload)
        end = self._at + len(line)
        if end > self._end:
            end = self._turn(len(line))
        self._map[self._at : end] = line
        self._at = end
        if not self._reminded:
            self._reminded = True
            self._loop.call_later(IDLE_COMMIT_S, self._remind)
        return self._before + end

    def when_durable(
        self,
        position: int,
        call: Callable[[], None],
        lost: Callable[[], None] | None = None,
    ) -> None:
        """Have something called, on the loop, once all lines up to a position are on the disk.

        Where the journal does not wait for the disk, it is called at once. Calls are made in the
        order in which they were asked for. None is made once the journal is broken or closed: then
        `lost` is called in its place. What a call raises goes to the loop's exception handler.
        """
        if self._error is not None:
            if lost is not None:
                self._loop.call_soon(lost)
            return
        if not self._waits_for_disk:
            call()
            return
        if position <= self._durable and not self._waiting:
            self._loop.call_soon(call)
            return
        if not self._committing and self._open <= 0 and self._swift >= SWIFT_COMMITS:
            if self._commit_here():
                call()
            elif lost is not None:
                self._loop.call_soon(lost)
            return
        self._waiting.append((position, call, lost))
        if not self._committing:
            self._begin_commit()
        elif self._gathering is not None and self._open <= 0:
            self._gathering.cancel()
            self._commit()

    @property
    def has_room(self) -> bool:
        """Whether calls may begin: False when the disk is full, and what is left is for ends."""
        if self._spare is self._sound or not self._spare.done():
            return self._error is None
        if self._spare.exception() is None:
            self._sound = self._spare
            return self._error is None
        if self._loop.time() >= self._retry_at:
            self._retry_at = self._loop.time() + _RETRY_S
            self._spare = _prepared(self._folder, self._segment.number + 1, self._size)
        return self._error is None and self._end - self._at > self._size // _LOW_SHARE

    def close(self) -> None:
        """Put everything on the disk, make the calls that waited for it, and let go of the lock.

        Raises:
            ClearbarError: when the last lines cannot be put on the disk.
        """
        if self._lock < 0:
            return
        self._committer.close()
        broken, self._error, self._end = self._error, ClearbarError("the journal is closed"), 0
        batch = self._batch()
        try:
            if broken is None:
                commit(batch)
                self._on_durable(batch.position, 0.0)
        except OSError as error:
            broken = _broken(self._folder, error)
            raise broken from error
        finally:
            self._waiting.clear()
            self._let_go([*(batch.full if broken else ()), (batch.current, self._at)])

    def _let_go(self, segments: Sequence[tuple[Segment, int]]) -> None:
        for segment, used in segments:
            with suppress(OSError):
                segment.seal(used)
        if self._spare.exception() is None:
            self._spare.result().discard()
        os.close(self._lock)
        self._lock = -1

    def _turn(self, length: int) -> int:
        """Go on in the next segment; return where a line of some length will end in it."""
        if self._error is not None:
            raise self._error
        if length > self._size - len(HEADER):
            raise ClearbarError(
                f"an entry of {length:,} bytes does not fit into the journal",
                "shorten the labels and ids that the client sends",
            )
        if self._spare.exception() is not None:  # waits for it; the disk was full, or is
            self._spare = _prepared(self._folder, self._segment.number + 1, self._size)
        following = self._spare.result()
        self._full.append((self._segment, self._at))
        self._before += self._at
        self._segment, self._map = following, following.map
        self._at = len(HEADER)
        self._spare = _prepared(self._folder, following.number + 1, self._size)
        return self._at + length

    def _batch(self) -> Batch:
        full, self._full = self._full, []
        return Batch(self._before + self._at, full, self._segment)

    def _begin_commit(self) -> None:
        self._committing = True
        if self._gather and self._open > 0:
            self._gathering = self._loop.call_later(GATHER_S, self._commit)
        else:
            self._commit()

    def _commit(self) -> None:
        self._gathering = None
        if self._error is None:
            self._committer.take(self._batch())

    def _commit_here(self) -> bool:
        """Put everything on the disk, and wait for it; return whether it is there."""
        begun_s = perf_counter()
        batch = self._batch()
        try:
            commit(batch)
        except OSError as error:
            self._on_error(error)
            return False
        self._durable = batch.position
        self._note_pace(perf_counter() - begun_s)
        return True

    def _note_pace(self, took_s: float) -> None:
        self._swift = self._swift + 1 if took_s < SWIFT_S else 0

    def _on_durable(self, position: int, took_s: float) -> None:
        self._committing = False
        self._note_pace(took_s)
        self._durable = max(self._durable, position)
        waiting = self._waiting
        due = []
        while waiting and waiting[0][0] <= position:
            due.append(waiting.popleft()[1])
        self._gather = len(due) > 1
        if waiting:
            self._begin_commit()
        for call in due:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - the others are to be called all the same
                said = {"message": "a call that waited for the journal failed", "exception": error}
                self._loop.call_exception_handler(said)

    def _on_error(self, error: OSError) -> None:
        if self._error is None:
            self._error, self._end = _broken(self._folder, error), 0
            waiting, self._waiting = self._waiting, deque()
            for _, _, lost in waiting:
                if lost is not None:
                    self._loop.call_soon(lost)
            if self._on_broken is not None:
                self._on_broken(self._error)

    def _remind(self) -> None:
        """Put on the disk what nobody waits for."""
        self._reminded = False
        if not self._committing and self._durable < self._before + self._at:
            self._begin_commit()


def _made(folder: Path, worker: str) -> Path:
    """Make the folder of a worker that is new."""
    if not _NAME.fullmatch(worker):
        raise ClearbarError(
            f'"{worker}" cannot name a journal', "use up to 128 letters, digits, `.`, `_` and `-`"
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / worker).mkdir(mode=0o700)
        sync_folder(folder)
    except FileExistsError:
        raise ClearbarError(
            f'there is a journal of a worker "{worker}" already',
            "give each process a name that was never used",
        ) from None
    except OSError as error:
        raise ClearbarError(
            f"{folder} cannot be made: {error.strerror}", "give the gateway a folder to write to"
        ) from error
    return folder / worker


def _broken(folder: Path, error: OSError) -> ClearbarError:
    return ClearbarError(
        f"the journal in {folder} cannot be put on the disk: {error.strerror}",
        "see what the kernel says of the disk; the worker has to be started again",
    )


def _prepared(folder: Path, number: int, size: int) -> Future[Segment]:
    """Make a segment in a thread of its own."""
    made: Future[Segment] = Future()

    def make() -> None:
        try:
            made.set_result(Segment(folder, number, size))
        except Exception as error:  # noqa: BLE001 - it is raised where the segment is needed
            made.set_exception(error)

    Thread(target=make, name="journal-segment", daemon=True).start()
    return made
