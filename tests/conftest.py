"""Settings for all tests."""

import matplotlib
from hypothesis import settings

# No window, whatever the machine offers.
matplotlib.use("Agg")

# The same examples in every run, and no verdict that depends on the machine's speed.
settings.register_profile("book", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("book")
