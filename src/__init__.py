"""The package as `src`, for a checkout in which it is not installed.

Everywhere else it is `import softmax_gradients`.
"""

from .softmax_gradients import *  # noqa: F403
