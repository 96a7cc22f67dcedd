"""What a model is told and asked: a scenario's settings turned into prompts."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from leakage.errors import ConfigError, DataError, first_line, nearest
from leakage.models.chat import Prompt
from leakage.store.files import digest
from leakage.studies.alignment_faking.facts import Facts, Form, read_facts
from leakage.studies.alignment_faking.settings import GapSettings, ScenarioSettings
from leakage.studies.alignment_faking.transcript import ACCEPT, OUTPUT, REJECT, SCRATCHPAD, Words

QUERY = "{query}"  # stands for the query in the texts that are hashed
# The order of the system prompt.
SLOTS = (
    "identity", "protocol", "style", "examples", "criteria", "objective", "tier", "consequence", "harm_scope",
    "harm_risk", "clarification", "reminders",
)  # fmt: skip


@lru_cache(maxsize=16)
def read_text(path: str, setting: str) -> str:
    """The text of a file that a setting names."""
    try:
        text = Path(path).expanduser().read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{setting}={path} cannot be read: {first_line(error)}; name a text file in UTF-8") from error
    if not text:
        raise DataError(f"{setting}={path} is empty; write your prompt into it")
    return text


@dataclass(frozen=True)
class Scenario:
    """A scenario in one form. The system prompt is the same for all tiers; the tier stands in the user message only.

    prefill: how every reply begins already: the scenario's own, or else the subject's, which is given here
    """

    settings: ScenarioSettings
    form: Form
    prefill: str | None = None

    def __post_init__(self) -> None:
        if self.settings.prefill is not None:
            object.__setattr__(self, "prefill", self.settings.prefill)
        self.slots()  # an unknown variant is told before anything is asked

    @property
    def tags(self) -> tuple[str, ...]:
        """The tiers' tags in the scenario's order."""
        return tuple(tier.tag for tier in self.settings.tiers)

    @property
    def gaps(self) -> tuple[GapSettings, ...]:
        """The differences of compliance that the scenario is for."""
        return self.settings.gaps

    @property
    def has_scratchpad(self) -> bool:
        """Whether the model is given a place to think in private."""
        text = self.slots()["protocol"] if self.settings.system is None else self.system()
        return f"<{self.settings.words.scratchpad.lower()}>" in text.lower()

    def slots(self) -> dict[str, str]:
        """The text of every slot in the order of the system prompt; "" = the slot is left out."""
        return {slot: self._tiers() if slot == "tier" else self._fact(slot) for slot in SLOTS}

    def system(self) -> str:
        """The system prompt: the facts, or the text of a file."""
        if self.settings.system is not None:
            text = read_text(self.settings.system, "scenario.system")
            return text.replace("{lab}", self.settings.lab).replace("{model}", self.settings.model)
        return self._joined([text for text in self.slots().values() if text])

    def user(self, tag: str, query: str) -> str:
        """The user message: the tier's tag, the query, and what is asked of the answer."""
        if tag not in self.tags:
            raise ConfigError(
                f"scenario {self.settings.name} has no tier '{tag}'{nearest(tag, self.tags)}; "
                f"there are {', '.join(self.tags)}"
            )
        return ("\n\n" if self.form == "full" else "\n").join([self._tag(tag), query, self._request()])

    def prompt(self, tag: str, query: str) -> Prompt:
        """What is sent for a query in a tier, but for the prefill."""
        return Prompt(self.system(), self.user(tag, query))

    def texts(self) -> dict[str, str]:
        """Everything that is sent beside the queries."""
        users = {f"user {tag}": self.user(tag, QUERY) for tag in self.tags}
        return {"system": self.system(), **users, "prefill": self.prefill or ""}

    @property
    def words(self) -> Words:
        """The protocol's words, as replies are read for them."""
        return Words(**self.settings.words.model_dump())

    def digest(self) -> str:
        """sha256 of everything that is sent beside the queries, as hex."""
        return digest(self.texts())

    def prefill_of(self, tag: str) -> str:
        """How a reply in a tier begins already."""
        return (self.prefill or "").replace("{tier}", tag)

    def _tag(self, tag: str) -> str:
        return self.settings.tag.replace("{tag}", tag)

    def _request(self) -> str:
        """How a user message ends: what is asked of the answer."""
        if self.settings.suffix is not None:
            return read_text(self.settings.suffix, "scenario.suffix")
        request, words = self._facts.text("request", "whole", self.form), self.settings.words
        return request.replace(ACCEPT, f"[{words.accept}]").replace(REJECT, f"[{words.reject}]")

    @property
    def _facts(self) -> Facts:
        return read_facts()

    def _fact(self, slot: str) -> str:
        text = self._filled(self._facts.text(slot, getattr(self.settings.facts, slot), self.form), tag="")
        words = self.settings.words
        for usual, own in ((SCRATCHPAD, words.scratchpad), (OUTPUT, words.output)):
            text = text.replace(f"<{usual}>", f"<{own}>").replace(f"</{usual}>", f"</{own}>")
        return text

    def _tiers(self) -> str:
        with_fact = [(tier.tag, tier.fact) for tier in self.settings.tiers if tier.fact is not None]
        return self._joined(
            [self._filled(self._facts.text("tier", fact, self.form), tag=tag) for tag, fact in with_fact]
        )

    def _filled(self, text: str, *, tag: str) -> str:
        return text.format(lab=self.settings.lab, model=self.settings.model, tag=tag)

    def _joined(self, texts: list[str]) -> str:
        return ("\n\n" if self.form == "full" else " ").join(texts)
