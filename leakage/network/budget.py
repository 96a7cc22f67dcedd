"""The cap on a group of models, judges or subjects: set aside before a question goes out, by all processes together."""

from typing import TYPE_CHECKING

from leakage.network.asks import Ask, most_usd
from leakage.network.ledger import SLACK, Ledger

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings


class Budget:
    """What one call of ask_all may still spend of the cap.

    before: dollars that the journal's answers have cost which no ledger tells of
    """

    def __init__(self, settings: "ApiSettings", ledger: Ledger, *, before: float) -> None:
        self.settings, self.ledger, self.before = settings, ledger, before
        self.holds: dict[str, tuple[str, float]] = {}  # by key of the ask: name and dollars
        # a batch may take a day; whoever asks for single replies hears of each within the time-out
        self._wait_s = 2 * 86_400.0 if settings.batch else 2 * settings.timeout_s + 60

    @property
    def spent(self) -> float:
        """What is paid for, or may have been billed, in earlier runs and other processes too."""
        return self.before + self.ledger.spent(self.settings.group)

    def hold(self, ask: Ask) -> bool:
        """Set aside the most the ask can cost; False where that could exceed the cap."""
        most, cap = most_usd(ask, self.settings), self.settings.max_usd - self.before
        if name := self.ledger.hold(self.settings.group, most, cap=cap, wait_s=self._wait_s):
            self.holds[ask.key] = name, most
        return bool(name)

    def settle(self, key: str, usd: float | None = 0.0) -> None:
        """Put what an ask did cost in the place of what was set aside; None = up to the most may have been billed."""
        name, most = self.holds.pop(key, (f"late-{key}", 0.0))
        self.ledger.settle(name, self.settings.group, most if usd is None else usd)

    def adopt(self, key: str, name: str) -> None:
        """Take over what an earlier run has set aside for an ask that it has sent."""
        self.holds.setdefault(key, (name, self.ledger.held(name)))

    def leave(self, key: str) -> None:
        """Let the next run settle it."""
        self.holds.pop(key, None)

    def others_hold(self, ask: Ask) -> bool:
        """Whether the ask fits as soon as living processes have settled what they hold."""
        own = sum(most for _, most in self.holds.values())
        return self.spent + own + most_usd(ask, self.settings) <= self.settings.max_usd + SLACK

    def close(self) -> None:
        """What is still in flight may be billed."""
        for key in list(self.holds):
            self.settle(key, None)
