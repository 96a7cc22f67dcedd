"""The draw of a token without the vocabulary in order: only what can be in the nucleus is sorted.

Weighing every token in float64 and sorting them all took half of a generation's time. Here float32 says which tokens
are likely enough; those few are weighed in float64 and sorted; and what the rest adds up to is known to within an
error. A row whose draw could be another within that error is weighed again, and left to the caller where that does not
settle it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

DEPTHS = (8.0, 12.0, 18.0)  # natural logarithms below the likeliest; nuclei seldom reach below the second
BLOCK = {"cpu": 2**18}  # logits looked at together: what stays in a core's cache
WIDE_BLOCK = 2**26
ERRORS = {"float32": 1e-5, "float64": 1e-12}  # of a sum of exponentials, relative: several times what rounding makes
UNDECIDED = -1


@dataclass(frozen=True)
class Nucleus:
    """The tokens that are drawn from: the likeliest until they make up `top_p`, equally likely ones by id."""

    temperature: float
    top_p: float

    def draw(self, logits: "Tensor", uniform: "Tensor") -> "Tensor":
        """Token ids (rows,) at `uniform` (rows,) of the nucleus; UNDECIDED where rounding could make another."""
        import torch

        size = max(1, BLOCK.get(logits.device.type, WIDE_BLOCK) // logits.shape[-1])
        blocks = [slice(start, start + size) for start in range(0, len(logits), size)]
        chosen = torch.cat([self._draw_block(logits[block], uniform[block], "float32") for block in blocks])
        again = (chosen == UNDECIDED).nonzero()[:, 0]
        if len(again):
            chosen[again] = self._draw_block(logits[again], uniform[again], "float64")
        return chosen

    def _draw_block(self, logits: "Tensor", uniform: "Tensor", precision: str) -> "Tensor":
        import torch

        most = logits.amax(-1, keepdim=True)
        depth = (logits.to(getattr(torch, precision)) - most) / self.temperature
        weights = depth.exp()
        share = uniform if self.top_p >= 1 else torch.full_like(uniform, self.top_p)
        for deepest in DEPTHS:
            likely = depth >= -deepest
            rest = weights.masked_fill(likely, 0).sum(-1).double()
            if bool((rest < 0.999 * (1 - share) * weights.sum(-1)).all()):
                break
        top, ids = _in_order(logits, likely)
        exact = ((top.double() - most) / self.temperature).exp()
        return self._invert(exact, ids, rest, uniform, ERRORS[precision])

    def _invert(self, top: "Tensor", ids: "Tensor", rest: "Tensor", uniform: "Tensor", error: float) -> "Tensor":
        """Of the likely tokens, in falling order, the one at `uniform`; rest: what all others add up to."""
        tiny = ERRORS["float64"]
        sums = top.cumsum(-1)
        total = sums[:, -1] + rest
        slack = error * rest + tiny * total
        if self.top_p < 1:
            edge, before = self.top_p * total, sums - top
            clear = (sums[:, -1] > edge + slack) & _apart(before, edge, slack)
            sums = top.where(before < edge[:, None], 0.0).cumsum(-1)
            target, slack = uniform * sums[:, -1], tiny * total
        else:
            target = uniform * total
            clear = sums[:, -1] > target + slack
        clear &= _apart(sums, target, slack)
        place = (sums <= target[:, None]).sum(-1, keepdim=True).clamp(max=ids.shape[-1] - 1)
        return ids.gather(-1, place).squeeze(-1).where(clear, UNDECIDED)


def _apart(sums: "Tensor", point: "Tensor", slack: "Tensor") -> "Tensor":
    """Whether every sum of a row is further from a point than rounding could move it."""
    return ((sums - point[:, None]).abs() > slack[:, None]).all(-1)


def _in_order(logits: "Tensor", likely: "Tensor") -> tuple["Tensor", "Tensor"]:
    """The likely tokens' logits and ids, each (rows, most of a row), likeliest first, equal ones by id; rows filled up
    with -inf.
    """
    import torch

    rows, tokens = likely.nonzero(as_tuple=True)  # by row, and in a row by id
    counts = likely.sum(-1)
    places = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    shape = (len(logits), max(1, int(counts.max())))
    top = logits.new_full(shape, -torch.inf)
    ids = torch.zeros(shape, dtype=torch.long, device=logits.device)
    top[rows, places], ids[rows, places] = logits[rows, tokens], tokens
    top, order = top.sort(dim=-1, descending=True, stable=True)
    return top, ids.gather(-1, order)
