"""The doctor in a process of its own, which its patient may end, hang or crash.

A function that is examined may do anything: call `sys.exit`, never return, take all
memory, crash below Python. In another process that is a finding like any other.
"""

import faulthandler
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from .doctor import Report, diagnose

# Elsewhere a forked process may crash in a system library, so a new one is started.
FORKS = sys.platform == "linux"
# Their threads do not survive a fork.
WITH_THREADS = ("torch", "jax", "tensorflow")
TIMEOUT = 10.0
MEMORY = 4.0
GIBIBYTE = 2**30
# What `getrusage` counts in, on Linux.
KIBIBYTE = 2**10


class DoctorError(Exception):
    """An exception in the process, from the doctor and not from its patient."""


def unusable(kind: str | None, sentence: str) -> Report:
    """Return the report on a function that could not be examined."""
    return Report(kind or "function", verdict="unusable", findings=(sentence,))


def examined_apart(
    examine: Callable[[], Report],
    kind: str | None,
    *,
    timeout: float = TIMEOUT,
    memory: float = MEMORY,
) -> Report:
    """Return the report that a call gives in a process of its own.

    Parameters
    ----------
    examine : callable
        Calls the doctor. Where processes are not forked it must be picklable.
    kind : str or None
        The kind of the function, for the report where there is no other.
    timeout : float, default 10
        Seconds after which the process is killed.
    memory : float, default 4
        How many gibibytes it may take, on systems that can limit them.

    Returns
    -------
    report : Report
        The doctor's, or one with the verdict "unusable" that says what happened.

    Raises
    ------
    ValueError
        If the doctor raised it, for an option.
    DoctorError
        If the doctor failed.
    """
    context: Any = get_context("fork" if FORKS else "spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(examine, kind, sender, memory))
    with warnings.catch_warnings():
        # The process calls the doctor and ends: the other threads are not needed.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        process.start()
    sender.close()
    try:
        result = received(receiver, timeout)
        if result is None:
            process.join(timeout)
            result = unusable(kind, how_it_ended(process.exitcode, timeout))
    finally:
        process.kill()
        process.join()
        receiver.close()
    if isinstance(result, Exception):
        raise result
    return result


def examined_for_a_test(
    function: Callable[..., Any],
    kind: str | None = None,
    *,
    timeout: float = TIMEOUT,
    memory: float = MEMORY,
    isolated: bool | None = None,
    **options: Any,
) -> Report:
    """Return the report on a function of a test, from another process if that is safe.

    Parameters
    ----------
    function : callable
        Any, also one that cannot be imported by its name: it is forked, not sent.
    kind : str, optional
        As in `diagnose`.
    timeout, memory : float
        As in `examined_apart`.
    isolated : bool, optional
        Whether to fork. By default on Linux, unless a library with threads is loaded.
    **options
        As in `diagnose`.

    Returns
    -------
    report : Report

    Raises
    ------
    ValueError
        As `diagnose`, and if `isolated` is asked for where processes are not forked.
    """
    given = options if kind is None else {"kind": kind, **options}
    examine = partial(diagnose, function, **given)
    if isolated is None:
        isolated = FORKS and not any(name in sys.modules for name in WITH_THREADS)
    if not isolated:
        return examine()
    if not FORKS:
        raise ValueError(
            "isolated must be False where processes are not forked, got True"
        )
    return examined_apart(examine, kind, timeout=timeout, memory=memory)


def received(receiver: Connection, timeout: float) -> Report | Exception | None:
    """Return what the process sent, or None if it sent nothing."""
    try:
        return receiver.recv() if receiver.poll(timeout) else None
    except EOFError:
        return None


def how_it_ended(status: int | None, timeout: float) -> str:
    """Return in a sentence why a process has sent nothing."""
    if status is None:
        return (
            f"It was not done after {timeout:g} seconds: an endless loop, or too slow "
            "to be called about a hundred times. A longer time can be given as "
            "timeout (--timeout)."
        )
    if status >= 0:
        return (
            f"It ended its Python process, with status {status}, before it was "
            "examined."
        )
    names = {int(each): each.name for each in signal.Signals}
    name = names.get(-status, f"signal {-status}")
    reason = {
        "SIGSEGV": "it touched memory that is not its own, or its recursion was too "
        "deep",
        "SIGKILL": "killed from outside, often for want of memory",
    }.get(name, "a crash below Python")
    return f"It crashed its Python process with {name}: {reason}."


def answer(
    examine: Callable[[], Report],
    kind: str | None,
    sender: Connection,
    memory: float,
) -> None:
    """Send the report, or the exception that is to be raised instead.

    This is what the process runs.
    """
    silence()
    limit_memory(memory)
    result: Report | Exception
    try:
        result = examine()
    except ValueError as error:  # an option that the doctor refuses
        result = ValueError(str(error))
    except Exception:
        result = DoctorError(traceback.format_exc())
    except BaseException as stop:
        result = unusable(kind, f"It ends Python: {type(stop).__name__}({stop}).")
    sender.send(result)


def silence() -> None:
    """Have everything that is printed vanish, and nothing to be read."""
    faulthandler.disable()  # pytest enables it
    nowhere = open(os.devnull, "r+", encoding="utf-8")  # noqa: SIM115
    for descriptor in range(3):
        os.dup2(nowhere.fileno(), descriptor)
    sys.stdin = sys.stdout = sys.stderr = nowhere


def limit_memory(memory: float) -> None:
    """Let this process take so many gibibytes more, where the system can tell."""
    if find_spec("resource") is None:  # Windows
        return
    import resource

    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE
    limit = taken + int(memory * GIBIBYTE)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
