"""Room for what is computed on the way, used again from block to block."""

from typing import Any

import numpy as np

from .._inputs import Array

# The shapes of so many arrays are kept with them.
MOST_SHAPES = 100


class Scratch:
    """Arrays of a block's size by name, allocated once.

    The pages of a new array cost more time than to compute with it.
    """

    def __init__(self, size: int) -> None:
        self._bytes = size
        self._arrays: dict[str, Array] = {}
        self._rooms: dict[tuple[Any, ...], Array] = {}

    def like(self, block: Array, name: str, dtype: str | None = None) -> Array:
        """Return room of the shape of `block`, and of its type unless one is given."""
        key = name, block.shape, dtype or block.dtype.char
        room = self._rooms.get(key)
        if room is None:
            if len(self._rooms) >= MOST_SHAPES:
                self._rooms.clear()
            if name not in self._arrays:
                self._arrays[name] = np.empty(self._bytes, np.uint8)
            array = self._arrays[name].view(key[2])
            room = self._rooms[key] = array[: block.size].reshape(block.shape)
        return room


def in_type(array: Array, dtype: np.dtype[Any], scratch: Scratch) -> Array:
    """Return logits, weights or a vector in the type, and labels as they are."""
    if array.dtype.kind != "f" or array.dtype == dtype:
        return array
    room = scratch.like(array, f"as {dtype.char}", dtype.char)
    room[...] = array
    return room
