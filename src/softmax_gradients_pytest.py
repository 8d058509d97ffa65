"""The gradient doctor as a fixture of pytest.

It is a module of its own, outside the package, so that pytest can load it without
loading NumPy: nothing else is imported before a test uses the fixture.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from softmax_gradients.doctor import Report

__all__ = ["gradient_doctor"]


@pytest.fixture
def gradient_doctor() -> "Callable[..., Report]":
    """Fail a test unless a function is right, with the doctor's report.

    The fixture is a function with the arguments of `diagnose`, as in
    ``gradient_doctor(mine.gradient, "gradient", reduction="sum")``. It returns the
    report. On Linux the function runs in a forked process, with `timeout=` 10 seconds
    and `memory=` 4 gibibytes more than pytest has, so that an endless loop or a
    crash fails one test. With `isolated=False` it runs in the process of pytest; that
    is also the default on other systems, and where PyTorch, JAX or TensorFlow are
    loaded, whose threads do not survive a fork.
    """

    def check(function: Callable[..., Any], *args: Any, **options: Any) -> "Report":
        __tracebackhide__ = True
        from softmax_gradients._isolation import examined_for_a_test

        report = examined_for_a_test(function, *args, **options)
        if not report.ok:
            pytest.fail(str(report))
        return report

    return check
