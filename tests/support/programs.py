"""Running code apart from the tests, as a reader would."""

import subprocess
import sys


def run_python(code, directory):
    """Run code in a new interpreter, and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
