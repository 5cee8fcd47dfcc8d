"""Processes that judge PDFs, so that neither their time nor their memory is the gateway's.

Workers are spawned (forking would copy threads of other libraries in mid-work), get a path and return a verdict.
"""

import asyncio
import multiprocessing
import resource
import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from pebble import ProcessExpired, ProcessPool

from gateway.domain.verdict import SignatureVerdict, Verdict
from gateway.security.policy import SignatureRules
from gateway.security.trust import TrustAnchors

_log = structlog.get_logger()


class JudgePool:
    """A pool of worker processes. No more tasks are handed over than there are workers; further callers wait.

    Args:
        workers: Processes, at least 1; each takes about 80 MB when warm.
        time_limit: For one file; a worker that needs longer is killed and replaced.
        memory_limit: Address space of a worker in bytes, the mapped file included.
    """

    def __init__(
        self,
        *,
        workers: int,
        time_limit: timedelta,
        anchors: TrustAnchors,
        rules: SignatureRules,
        memory_limit: int = 2 * 1024**3,
    ) -> None:
        self._workers = workers
        self._limit = time_limit.total_seconds()
        self._anchors = anchors
        self._rules = rules
        self._free = asyncio.Semaphore(workers)
        self._pool: Any = ProcessPool(  # pebble is typed in part only
            max_workers=workers,
            initializer=_prepare,
            initargs=(memory_limit,),
            context=multiprocessing.get_context("spawn"),
        )

    async def start(self) -> None:
        """Start the workers and wait until each has loaded its libraries (about a second)."""
        futures = [self._pool.schedule(_warm) for _ in range(self._workers)]
        await asyncio.gather(*(asyncio.wrap_future(future) for future in futures))

    async def judge(self, path: Path, *, at: datetime) -> SignatureVerdict:
        """The verdict on a PDF; INVALID with the reason if the time limit passed or the worker died.

        Raises OSError if the file cannot be opened.
        """
        async with self._free:
            future = self._pool.schedule(_judge, args=(path, self._anchors, at, self._rules), timeout=self._limit)
            try:
                verdict: SignatureVerdict = await asyncio.wrap_future(future)
            except TimeoutError:
                reason = f"the check took longer than {self._limit:g} s"
            except ProcessExpired as error:
                reason = "the checking process died"
                _log.warning("signature_worker.died", exit_code=error.exitcode)
            else:
                return verdict
        return SignatureVerdict(verdict=Verdict.INVALID, signatures=(), checked_at=at, reason=reason)

    async def stop(self) -> None:
        """End the workers; checks under way are abandoned and their callers cancelled."""
        self._pool.stop()
        await asyncio.to_thread(self._pool.join)


def _prepare(memory_limit: int) -> None:
    # Ctrl-C reaches the whole process group; the parent alone decides when workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit, hard))


def _warm() -> None:
    """Load everything that judging needs, here alone: what the gateway itself does not load costs it nothing."""
    import gateway.security.pdf  # noqa: F401, PLC0415 - see above


def _judge(path: Path, anchors: TrustAnchors, at: datetime, rules: SignatureRules) -> SignatureVerdict:
    from gateway.security.pdf import judge_pdf  # noqa: PLC0415 - see _warm

    return judge_pdf(path, anchors, at, rules)
