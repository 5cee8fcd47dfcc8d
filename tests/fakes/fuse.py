"""Ends the process, as it were, at the n-th step: every port call burns the fuse once before and once after it."""

import inspect
from typing import Any


class Crash(BaseException):
    """The process is gone. No handler for errors may catch it."""


class Fuse:
    """Burns down with each step; once burnt, nothing that is wired to it works any more. 0 = never."""

    def __init__(self, steps: int = 0) -> None:
        self._left = steps
        self.burnt = False

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.burnt = True
        if self.burnt:
            raise Crash


class Fused:
    """A port wired to a fuse."""

    def __init__(self, port: Any, fuse: Fuse) -> None:
        self._port = port
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        if inspect.iscoroutinefunction(found):

            async def call(*args: Any, **kwargs: Any) -> Any:
                self._fuse.step()
                result = await found(*args, **kwargs)
                self._fuse.step()
                return result

            return call

        def touch(*args: Any, **kwargs: Any) -> Any:
            self._fuse.step()
            return found(*args, **kwargs)

        return touch
