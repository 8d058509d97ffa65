"""The doctor survives its patients: whatever they do is a report."""

import ctypes
import faulthandler
import os
import pickle
import sys
import time
from functools import partial

import numpy as np
import pytest

import softmax_gradients._isolation as isolation
from softmax_gradients._isolation import (
    DoctorError,
    answer,
    examined_apart,
    examined_for_a_test,
    how_it_ended,
    limit_memory,
    silence,
)
from softmax_gradients.doctor import Report, diagnose
from softmax_gradients.mistakes import MISTAKES

FORKED = pytest.mark.skipif(not isolation.FORKS, reason="processes are not forked here")


def right(z, t):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    q = e / e.sum(axis=1, keepdims=True)
    return (q * t.sum(axis=1, keepdims=True) - t) / len(z)


def endless(z, t):
    while True:
        time.sleep(0.01)


def leaving(z, t):
    sys.exit(0)


def gone(z, t):
    os._exit(0)


def crashing(z, t):
    ctypes.string_at(0)


def deep(z, t):
    return deep(z, t)


def hungry(z, t):
    return np.empty(2**28)  # two gibibytes


def interrupted(z, t):
    raise KeyboardInterrupt


def talkative(z, t):
    print("x" * 10_000_000)
    sys.stderr.write("y")
    os.write(1, b"z")
    return right(z, t)


@FORKED
@pytest.mark.parametrize(
    ("function", "told"),
    [
        (endless, "not done after 1 seconds: an endless loop"),
        (leaving, "SystemExit"),
        (gone, "ended its Python process, with status 0"),
        (crashing, "SIGSEGV"),
        (deep, "RecursionError"),
        (hungry, "MemoryError"),
        (interrupted, "KeyboardInterrupt"),
    ],
)
def test_what_a_function_may_do_is_unusable(function, told):
    timeout = 1 if function is endless else 30
    report = examined_for_a_test(
        function, "gradient", isolated=True, timeout=timeout, memory=1
    )
    assert report.verdict == "unusable"
    assert told in str(report)
    assert not report.ok


@FORKED
def test_what_a_function_prints_vanishes(capfd):
    assert examined_for_a_test(talkative, "gradient", isolated=True).ok
    assert capfd.readouterr() == ("", "")


@FORKED
def test_a_report_comes_back_whole():
    def wrong(z, t):
        return -right(z, t)

    here = diagnose(wrong, "gradient")
    there = examined_for_a_test(wrong, "gradient", isolated=True)
    assert there.to_dict() == here.to_dict()
    assert there.mistakes[0] is MISTAKES["flipped-sign"]


def test_a_process_that_is_started_anew(monkeypatch):
    monkeypatch.setattr(isolation, "FORKS", False)
    examine = partial(diagnose, np.negative, "softmax")
    assert examined_apart(examine, "softmax", timeout=60).verdict == "unknown"


def test_entries_can_be_pickled():
    entry = MISTAKES["wrong-axis"]
    assert pickle.loads(pickle.dumps(entry)) is entry


@FORKED
def test_a_refused_option_is_raised_here():
    with pytest.raises(ValueError, match="kind must be"):
        examined_for_a_test(right, "gardient", isolated=True)


def test_where_nothing_is_forked(monkeypatch):
    monkeypatch.setattr(isolation, "FORKS", False)
    assert examined_for_a_test(right, "gradient").ok
    with pytest.raises(ValueError, match="isolated must be False"):
        examined_for_a_test(right, "gradient", isolated=True)


@FORKED
@pytest.mark.parametrize("library", isolation.WITH_THREADS)
def test_libraries_with_threads_are_not_forked(library, monkeypatch):
    def forked(*_, **__):
        raise AssertionError("it was forked")

    for name in isolation.WITH_THREADS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(isolation, "examined_apart", forked)
    monkeypatch.setattr(isolation, "diagnose", lambda _, kind: Report(kind, "right"))
    with pytest.raises(AssertionError, match="it was forked"):
        examined_for_a_test(right, "gradient")
    monkeypatch.setitem(sys.modules, library, sys)
    assert examined_for_a_test(right, "gradient").ok


class Sender:
    def __init__(self):
        self.sent = []

    def send(self, result):
        self.sent.append(result)


@pytest.fixture
def sent(monkeypatch):
    """What the process sends, for a call in this process."""
    monkeypatch.setattr(isolation, "silence", lambda: None)
    monkeypatch.setattr(isolation, "limit_memory", lambda memory: None)

    def of(examine):
        sender = Sender()
        answer(examine, "gradient", sender, 1.0)
        return sender.sent[0]

    return of


def raising(error):
    def examine():
        raise error

    return examine


def test_what_the_process_sends(sent):
    assert sent(partial(diagnose, right, "gradient")).ok
    refused = sent(raising(UnicodeDecodeError("utf-8", b"", 0, 1, "text")))
    assert type(refused) is ValueError
    assert isinstance(pickle.loads(pickle.dumps(refused)), ValueError)
    failure = sent(raising(ZeroDivisionError("of the doctor")))
    assert isinstance(failure, DoctorError)
    assert "of the doctor" in str(failure)
    stopped = sent(raising(SystemExit(0)))
    assert isinstance(stopped, Report)
    assert stopped.verdict == "unusable"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (None, "was not done after 3 seconds"),
        (0, "with status 0, before"),
        (7, "with status 7, before"),
        (-11, "SIGSEGV: it touched memory"),
        (-9, "SIGKILL: killed from outside"),
        (-6, "SIGABRT: a crash below Python"),
        (-99, "signal 99: a crash below Python"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_how_a_process_ended(status, told):
    assert told in how_it_ended(status, 3.0)


def test_silence_covers_python_and_the_system(monkeypatch):
    copied = []
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    monkeypatch.setattr(os, "dup2", lambda source, target: copied.append(target))
    monkeypatch.setattr(faulthandler, "disable", lambda: copied.append("crashes"))
    silence()
    assert copied == ["crashes", 0, 1, 2]
    print("nothing")
    assert sys.stdin.read() == ""
    sys.stdout.close()


def test_memory_is_limited_where_that_is_possible(monkeypatch):
    resource = pytest.importorskip("resource")
    limits = []
    monkeypatch.setattr(resource, "setrlimit", lambda which, pair: limits.append(pair))
    most = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda which: (most, most))
    limit_memory(2.0)
    assert limits[0][0] > 2 * 2**30
    assert limits[0][1] == most
    most = 2**20
    limit_memory(2.0)
    assert limits[1] == (most, most)
    monkeypatch.setattr(isolation, "find_spec", lambda name: None)
    limit_memory(2.0)
    assert len(limits) == 2
