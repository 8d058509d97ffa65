"""Write src/softmax_gradients/data/digits.npz from scikit-learn's copy of the data.

Usage: python tools/make_digits.py, where scikit-learn is installed.

The data: E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits", UCI
Machine Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0. The file has fixed
dates inside, so that a second run gives the same bytes.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "src" / "softmax_gradients" / "data" / "digits.npz"


def main() -> None:
    digits = load_digits()
    pixels = digits.data.astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    if not (np.array_equal(pixels, digits.data) and pixels.max() == 16):
        raise SystemExit("the pixels are not integers from 0 to 16")
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, pixels=pixels, labels=labels)
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
