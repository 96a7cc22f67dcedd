"""How numbers are written on the pages."""

from typing import Any

NOTHING, MINUS = "\u2013", "\u2212"  # as a typesetter has them: a dash, and a minus as wide as a plus


def is_known(value: Any) -> bool:
    """Whether there is a value, which missing numbers are not."""
    return value is not None and value == value and value != ""


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign and a real minus; a dash where there is none."""
    return f"{_whole(value, digits):+.{digits}f}".replace("-", MINUS) if is_known(value) else NOTHING


def _whole(value: float, digits: int) -> float:
    """Rounded, and 0 never with a minus."""
    return round(float(value), digits) + 0.0


def small(value: float) -> str:
    """A p or q: two digits, tiny ones with their power of ten."""
    if not is_known(value):
        return NOTHING
    if value >= 0.001 or value == 0:
        return f"{value:.2f}" if value >= 0.095 else f"{value:.3f}"
    digit, _, power = f"{value:.0e}".partition("e-")
    return f"{digit}e{MINUS}{int(power)}"


def plain(value: float, digits: int = 2) -> str:
    """A number without a sign of its own."""
    return f"{_whole(value, digits):.{digits}f}".replace("-", MINUS) if is_known(value) else NOTHING
