"""Work on several tasks at once, each worker a process of its own: what costs is Python's, not the servers'."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, TypeVar

from domain.errors import LedgerError

Task = TypeVar("Task")
Result = TypeVar("Result")

Reached = Callable[[int], None]


class WorkerLost(LedgerError):
    """A worker ended before its work did."""


class _Done(NamedTuple):
    """What a worker sends of a task; of how far it is it sends bare numbers."""

    number: int
    result: Any


def work_on(tasks: Sequence[Task], work: Callable[[Task, Reached], Result], reached: Reached) -> list[Result]:
    """The result of each task, in their order. `work` and what it is given and returns can be pickled. `reached`: told
    by `work` how much more is done. A LedgerError of any task is raised, and ends the others."""
    workers = min(len(tasks), os.cpu_count() or 1)
    if workers < 2:
        return [work(task, reached) for task in tasks]
    numbered = list(enumerate(tasks))
    with ExitStack() as stack:
        pipes = [_start(stack, numbered[first::workers], work) for first in range(workers)]
        results = dict(_collect(pipes, reached))
    if len(results) < len(tasks):
        raise WorkerLost("a process ended before its work did: see above, or the system's log (memory?)")
    return [results[number] for number, _ in numbered]


def _start(stack: ExitStack, tasks: Sequence[tuple[int, Any]], work: Callable[[Any, Reached], Any]) -> Connection:
    """A new interpreter, not a copy of this one: what threads of this one hold would stay held in a copy."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, tasks, work))
    process.start()
    theirs.close()
    stack.callback(process.join)
    stack.callback(process.terminate)
    stack.callback(ours.close)
    return ours


def _collect(pipes: Sequence[Connection], reached: Reached) -> list[_Done]:
    """Whatever the workers send, until all of them have ended."""
    done: list[_Done] = []
    left = list(pipes)
    while left:
        for pipe in wait(left):
            assert isinstance(pipe, Connection)
            try:
                said = pipe.recv()
            except EOFError:
                left.remove(pipe)
                continue
            if isinstance(said, LedgerError):
                raise said
            if isinstance(said, _Done):
                done.append(said)
            else:
                reached(said)
    return done


def _serve(pipe: Connection, tasks: Sequence[tuple[int, Any]], work: Callable[[Any, Reached], Any]) -> None:
    """The worker. Ctrl-C and the end of its parent end it at once: it changes nothing."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        for number, task in tasks:
            pipe.send(_Done(number, work(task, pipe.send)))
    except LedgerError as error:
        pipe.send(error)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
