"""Group commit: works that wait for the same writer share one transaction, and so one sync to disk.

While a commit is under way, works queue up; whoever commits next takes all that wait. Each runs under a savepoint of
its own, so that one that fails is undone alone and answered alone. All are answered after the one commit. If the
database undoes the whole, nothing of it was durable, and each work runs again in a transaction of its own. If the
connection is lost, nobody can tell, and everybody hears that the store is unavailable, as after a commit of one's own.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.store.faults import is_conflict, mapped_errors, unavailable
from gateway.store.transactions import T, Work, transact


@dataclass(slots=True, kw_only=True, eq=False)
class _Asked:
    """A work and whom to answer. Until it has begun, its caller may take it back by cancelling the answer."""

    work: Work[Any]
    answer: asyncio.Future[Any]
    begun: bool = False


class Commits:
    """Runs works in transactions of one engine: at most `committers` at a time, each of at most `most` works."""

    def __init__(self, engine: AsyncEngine, *, committers: int, most: int) -> None:
        self._engine = engine
        self._most = most
        self._free = committers
        self._waiting: deque[_Asked] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, work: Work[T], *, patience: timedelta) -> T:
        """What the work gives, once it is committed.

        Raises GatewayError STORE_UNAVAILABLE if it has not begun after `patience`. It has then done nothing, as where
        the caller is cancelled before it begins; a caller cancelled later stops waiting, and the work goes on.
        """
        asked = _Asked(work=work, answer=asyncio.get_running_loop().create_future())
        asked.answer.add_done_callback(_retrieve)
        self._waiting.append(asked)
        self._recruit()
        try:
            await asyncio.wait({asked.answer}, timeout=patience.total_seconds())
            if not asked.begun:
                raise unavailable("no free connection")
        finally:
            if not asked.begun:
                asked.answer.cancel()
        answer: T = await asyncio.shield(asked.answer)
        return answer

    async def close(self) -> None:
        """Wait for the works that have begun; those that have not, and later ones, are refused."""
        self._closed = True
        while self._running:
            await asyncio.wait(self._running)

    def _recruit(self) -> None:
        """Let a free committer begin with what waits first: while one is free, works do not wait for each other."""
        if self._free and (batch := self._next(1)):
            self._free -= 1
            task = asyncio.create_task(self._commit(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _commit(self, batch: Sequence[_Asked]) -> None:
        try:
            while batch:
                if self._closed:
                    for asked in batch:
                        _refuse(asked, unavailable("closed"))
                elif len(batch) == 1:
                    await self._alone(batch[0])
                else:
                    await self._together(batch)
                batch = self._next(self._most)
        finally:
            for asked in batch:  # only if this task was ended from outside
                asked.answer.cancel()
            self._free += 1
            self._recruit()

    def _next(self, most: int) -> list[_Asked]:
        """Take what waits and is still wanted."""
        batch: list[_Asked] = []
        while self._waiting and len(batch) < most:
            asked = self._waiting.popleft()
            if not asked.answer.done():
                batch.append(asked)
        return batch

    async def _alone(self, asked: _Asked) -> None:
        if asked.answer.done():
            return
        asked.begun = True
        try:
            answer = await transact(self._engine, asked.work)
        except Exception as error:  # noqa: BLE001 - it is the caller's
            asked.answer.set_exception(error)
        else:
            asked.answer.set_result(answer)

    async def _together(self, batch: Sequence[_Asked]) -> None:
        done: list[tuple[_Asked, Any]] = []
        failed: list[tuple[_Asked, Exception]] = []
        try:
            async with self._engine.begin() as conn:
                for asked in batch:
                    if asked.answer.done():
                        continue
                    asked.begun = True
                    try:
                        done.append((asked, await _apart(conn, asked.work)))
                    except _UndoneError as undone:
                        failed.append((asked, undone.error))
        except Exception as error:  # noqa: BLE001 - whatever it is, callers wait for an answer
            again = any(asked.begun for asked in batch) and _is_refusal(error)
            for asked in batch:
                if again:
                    await self._alone(asked)
                else:
                    _refuse(asked, error)
            return
        for asked, answer in done:
            asked.answer.set_result(answer)
        for asked, reason in failed:
            _refuse(asked, reason)


class _UndoneError(Exception):
    """A work failed and is undone; the transaction around it goes on."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def _apart(conn: AsyncConnection, work: Work[T]) -> T:
    """Run one work of several. Raises _UndoneError if it alone failed; what else it raises has undone them all."""
    savepoint = await conn.begin_nested()
    try:
        answer = await work(conn)
    except Exception as error:
        if isinstance(error, DBAPIError) and (is_conflict(error) or error.connection_invalidated):
            raise
        await savepoint.rollback()  # fails where the database, its disk full, say, has undone the whole already
        raise _UndoneError(error) from error
    await savepoint.commit()
    return answer


def _is_refusal(error: Exception) -> bool:
    """True if the server answered, with no; a lost connection may have lost the answer to a commit."""
    return isinstance(error, DBAPIError) and not error.connection_invalidated


def _refuse(asked: _Asked, error: Exception) -> None:
    if asked.answer.done():
        return
    asked.begun = True
    try:
        with mapped_errors():
            raise error  # noqa: TRY301 - mapped like any other
    except Exception as told:  # noqa: BLE001 - it is the caller's
        asked.answer.set_exception(told)


def _retrieve(answer: asyncio.Future[Any]) -> None:
    """Its caller may be gone; asyncio would report an error as never retrieved."""
    if not answer.cancelled():
        answer.exception()
