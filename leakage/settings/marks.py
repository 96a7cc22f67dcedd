"""Marks of a setting: the identities that it is part of."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Enters:
    """The identities a field is part of: any of "train", "eval", "geometry".

    usual: of a field that came later the value that means what was done before; with it the field is part of none, so
    that what was made before keeps its id
    """

    identities: tuple[str, ...] = ()
    usual: Any = ...


TRAIN = Enters(("train",))
EVAL = Enters(("eval",))
GEOMETRY = Enters(("geometry",))
EVERYWHERE = Enters(("train", "eval", "geometry"))
INCIDENTAL = Enters()  # devices, paths, names of things whose content is hashed instead
