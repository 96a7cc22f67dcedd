"""Multiple choice: which label is right, and how an answer that chooses a label begins."""

import re

from leakage.data.pools import Item
from leakage.errors import DataError


def right_label(item: Item) -> str:
    """The label that the right answer begins with; of several the longest, since "11" begins with 1 as well."""
    fitting = [label for label in item.labels if item.answer.startswith(label)]
    if not fitting:
        raise DataError(
            f"the question {item.prompt[:60]!r} with labels {', '.join(item.labels) or '(none)'}: the answer "
            f"{item.answer!r} must begin with one of them; mend its line"
        )
    return max(fitting, key=len)


def openings(item: Item) -> tuple[str, ...]:
    """How an answer that chooses it begins, one a label: with the sign behind it, as "B)" may be a single token."""
    sign = re.match(r"[^\w\s]*", item.answer.removeprefix(right_label(item)))
    assert sign
    return tuple(label + sign[0] for label in item.labels)
