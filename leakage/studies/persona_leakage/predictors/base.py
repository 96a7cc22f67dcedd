"""What a predictor is: a guess, for every persona, at how much of a behavior it will take up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.predictors.probe import Probe

Values: TypeAlias = Mapping[str, "np.ndarray[Any, np.dtype[Any]]"]


@dataclass(frozen=True)
class Predictor:
    """One predictor of the study; each lives in a module of its own as `PREDICTOR`.

    sign: -1 where a larger value should mean less leakage
    measure: columns by name, (personas,) each in the order of the probe's personas; none where it has no meaning. A
    column of one block of the model is called <name>_<block>, with _raw or _centred behind it where there are both
    """

    name: str
    sign: Literal[-1, 1]
    measure: "Callable[[Probe], Values]"
