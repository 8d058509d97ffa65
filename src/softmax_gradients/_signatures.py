"""Options are given by name, and a call that forgets it is told which names there are.

`softmax(x, 2)` could mean the temperature, as a reader of this book expects, or the
axis, as in SciPy and JAX. Python's own message would name neither.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def keywords_named(
    function: Callable[Parameters, Result],
) -> Callable[Parameters, Result]:
    """Have a call with too many positional arguments name the keywords.

    It also runs the function without a word about underflow, whatever the caller has
    set: a probability too small for a float is 0.

    Raises
    ------
    TypeError
        From the function that is returned, in place of Python's own.
    """
    code = function.__code__
    count = code.co_argcount
    arrays = code.co_varnames[:count]
    keywords = code.co_varnames[count : count + code.co_kwonlyargcount]

    @wraps(function)
    def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if len(args) > count:
            given = str(args[count])[:40]
            names = ", ".join(f"{keyword}=" for keyword in keywords)
            raise TypeError(
                f"{function.__name__}() takes {' and '.join(arrays)} by position; "
                f"{given} must be given by keyword, as one of {names}"
            )
        with np.errstate(under="ignore"):
            return function(*args, **kwargs)

    return checked
