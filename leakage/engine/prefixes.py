"""Which prompts begin alike, so that a beginning is read once for all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

LEAST = 8  # tokens; less is read again sooner than it is copied

Prompt = Sequence[int]


@dataclass(frozen=True)
class Group:
    """Prompts, by their places in a list, and how many tokens they all begin with; each has more of its own."""

    members: tuple[int, ...]
    shared: int


def groups(prompts: Sequence[Prompt], ends: Sequence[int]) -> list[Group]:
    """Every prompt in one group; those with the same system prompt together, as nothing else begins alike for long.

    ends: how many of its last tokens each reads for itself, one at least: what they make of them is looked at

    In the order of their tokens a group takes in the next prompt as long as this saves more tokens than it costs the
    others, whose common beginning may become shorter.
    """
    made: list[Group] = []
    for i in sorted(range(len(prompts)), key=lambda i: list(prompts[i])):
        beginning = prompts[i][: len(prompts[i]) - ends[i]]
        if made and (longer := _joined(prompts, made[-1], i, beginning)):
            made[-1] = longer
        else:
            made.append(Group((i,), len(beginning)))
    return [one if one.shared >= LEAST and len(one.members) > 1 else Group(one.members, 0) for one in made]


def _joined(prompts: Sequence[Prompt], group: Group, i: int, beginning: Prompt) -> Group | None:
    pairs = zip(prompts[group.members[-1]], beginning, strict=False)
    shared = min(group.shared, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)))
    others = len(group.members) - 1
    return Group((*group.members, i), shared) if (others + 1) * shared > others * group.shared else None


def waves(made: Sequence[Group], most: int) -> Iterator[list[Group]]:
    """Groups whose beginnings are kept at the same time, at most so many; those that share nothing all together."""
    if alone := [one for one in made if not one.shared]:
        yield alone
    sharing = [one for one in made if one.shared]
    for start in range(0, len(sharing), most):
        yield sharing[start : start + most]
