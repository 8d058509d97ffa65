"""The doctor from a shell: python -m softmax_gradients is softmax-gradients."""

import sys

from softmax_gradients._shell import main

if __name__ == "__main__":
    sys.exit(main())
