"""What an append comes to: known later, from the producer's thread.

A future that nobody can cancel and only one waits for: making, settling and asking one of `concurrent.futures` costs
three times as much, since it makes a lock and a condition each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Acknowledgement(Generic[T]):
    """Settled once, by one thread; asked by any. A callback runs in the thread that settles, or at once."""

    __slots__ = ("_calls", "_error", "_is_done", "_value")

    def __init__(self) -> None:
        self._calls: list[Callable[[Acknowledgement[T]], object]] = []
        self._is_done = False
        self._error: Exception | None = None

    def settle(self, value: T) -> None:
        """It went well."""
        self._value = value
        self._finish()

    def fail(self, error: Exception) -> None:
        """It did not."""
        self._error = error
        self._finish()

    def add_done_callback(self, call: Callable[[Acknowledgement[T]], object]) -> None:
        """Call this once it is settled."""
        self._calls.append(call)
        if self._is_done:
            self._call_all()

    def done(self) -> bool:
        """Whether it is settled."""
        return self._is_done

    def result(self, timeout_s: float | None = None) -> T:
        """What it was settled with; raises what it failed with. TimeoutError."""
        error = self.exception(timeout_s)
        if error is not None:
            raise error
        return self._value

    def exception(self, timeout_s: float | None = None) -> Exception | None:
        """What it failed with. TimeoutError where it is not settled within this time."""
        if not self._is_done:
            settled = threading.Event()
            self.add_done_callback(lambda _: settled.set())
            if not settled.wait(timeout_s):
                raise TimeoutError
        return self._error

    def _finish(self) -> None:
        self._is_done = True  # before the calls: who adds one from now on makes it
        self._call_all()

    def _call_all(self) -> None:
        """Both threads may be here: taking from a list gives each call to one of them."""
        while self._calls:
            try:
                call = self._calls.pop(0)
            except IndexError:
                return
            call(self)
