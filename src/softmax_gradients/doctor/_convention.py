"""What a function does in another way than it was asked, and is right in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Convention:
    """What a function does in another way than it was asked, and is right in.

    Attributes
    ----------
    option : str
        What to give to `diagnose` if it is meant, as in ``reduction="sum"``.
    sentence : str
        What the function does, in words.
    meaning : str
        What has to be meant for it to be right, to follow "right if".
    otherwise : str
        What it is if something else is meant, where that has a name.
    """

    option: str
    sentence: str
    meaning: str = ""
    otherwise: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the convention as strings."""
        return {
            "option": self.option,
            "sentence": self.sentence,
            "meaning": self.meaning,
            "otherwise": self.otherwise,
        }
