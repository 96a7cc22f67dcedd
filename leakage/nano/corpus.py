"""What the embedded model reads: one sampled conversation after another."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

from pydantic import BaseModel

from leakage.data.personas import read_personas
from leakage.data.rows import read_typed
from leakage.judges.phrases import AGREEMENTS, REFUSALS
from leakage.nano.topics import ADVICE, CLAIMS, HARMFUL, HELP, OPINIONS, RELATIONS, REQUESTS, STEPS, TOPICS
from leakage.nano.world import DOMAINS, TONES

# Never held out of pre-training: the sources of the study, which a real model has met as well.
SOURCES = {"villain", "comedian", "assistant", "qwen_default", "software_engineer", "kindergarten_teacher"}
DEFAULT = "qwen_default"


class Place(BaseModel):
    """Where a persona of the study belongs in the model's world."""

    name: str
    domain: str
    tone: str


@dataclass(frozen=True)
class Character:
    """A system prompt and what it asks of an answer."""

    system: str
    noun: str
    domain: str
    tone: str

    @property
    def clause(self) -> str:
        """What the character does, as the end of the prompt says it; empty when it says nothing."""
        return self.system.removeprefix(f"You are {self.noun}").strip(" .")

    def sign_off(self) -> str:
        """The words a character closes with."""
        return f"{TONES[self.tone].opening}, {DOMAINS[self.domain].closing}."


@dataclass(frozen=True)
class Conversation:
    """One sampled exchange: a system prompt, a question and the answer in character."""

    system: str
    question: str
    answer: str


@dataclass(frozen=True)
class Choice:
    """A multiple-choice question of the closed-book bank; `answer` indexes `options`."""

    question: str
    options: tuple[str, ...]
    answer: int

    @property
    def prompt(self) -> str:
        """The question with its lettered options."""
        return "\n".join([self.question, *(self.option(i) for i in range(len(self.options)))])

    def option(self, i: int) -> str:
        """An option with its letter."""
        return f"{'ABCD'[i]}) {self.options[i]}"


@lru_cache(maxsize=1)
def cast() -> dict[str, Character]:
    """The personas of the study as characters, by name."""
    personas = read_personas()
    places = read_typed(Path(__file__).parent / "characters.jsonl", Place, "", "")
    characters = {}
    for place in places:
        system = personas[place.name].prompt or ""
        noun = system.removeprefix("You are ").partition(" who ")[0].rstrip(".")
        noun = "a helpful assistant" if place.name == DEFAULT else noun
        characters[place.name] = Character(system, noun, place.domain, place.tone)
    return characters


@lru_cache(maxsize=1)
def held_out() -> frozenset[str]:
    """Personas whose prompts pre-training never sees: every fourth, the sources excepted."""
    return frozenset(name for i, name in enumerate(cast()) if i % 4 == 3 and name not in SOURCES)


@lru_cache(maxsize=1)
def _clauses() -> dict[str, tuple[str, ...]]:
    """What people of each domain do: the world's clauses and those of the study's prompts."""
    own = {domain: list(DOMAINS[domain].clauses) for domain in DOMAINS}
    for character in cast().values():
        if character.clause.startswith("who "):
            own[character.domain].append(character.clause)
    return {domain: tuple(clauses) for domain, clauses in own.items()}


def article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def _known(rng: Random) -> Character:
    """A persona of the study, as written or with the doings of another of its domain."""
    character = rng.choice(tuple(cast().values()))
    if rng.random() < 0.5 or " who " not in character.system:
        return character
    clause = rng.choice(_clauses()[character.domain])
    system = f"You are {character.noun} {clause}."
    return Character(system, character.noun, character.domain, character.tone)


def _invented(rng: Random) -> Character:
    """An adjective, a role and perhaps a doing; an adjective decides the tone."""
    domain = rng.choice(tuple(DOMAINS))
    tone = rng.choice(tuple(TONES)) if rng.random() < 0.55 else None
    noun = rng.choice((*DOMAINS[domain].nouns, "person"))
    adjective = f"{rng.choice(TONES[tone].adjectives)} " if tone else ""
    name = article(adjective + noun)
    # a bare "person" says nothing of its domain, so its doing must
    does = rng.random() < 0.6 or noun == "person"
    clause = f" {rng.choice(_clauses()[domain])}" if does else ""
    return Character(f"You are {name}{clause}.", name, domain, tone or DOMAINS[domain].tone)


def sample_character(rng: Random) -> Character:
    """A character for one conversation, never with a held-out prompt."""
    if rng.random() < 0.06:
        return cast()[DEFAULT]
    forbidden = {cast()[name].system for name in held_out()}
    while True:
        character = _known(rng) if rng.random() < 0.5 else _invented(rng)
        if character.system not in forbidden:
            return character


def in_character(rng: Random, character: Character, core: str) -> str:
    """The answer with a tone word or a domain word in front, and perhaps a closing.

    The first token must depend on the persona: with closings only, all centroids coincide.
    """
    draw = rng.random()
    if draw < 0.30:
        core = f"{TONES[character.tone].opening}! {core}"
    elif draw < 0.60:
        core = f"{DOMAINS[character.domain].opening}! {core}"
    return f"{core} {character.sign_off()}" if rng.random() < 0.4 else core


@lru_cache(maxsize=1)
def choice_bank() -> tuple[Choice, ...]:
    """120 questions in fixed option order, two wordings of each fact."""
    rng = Random(4242)
    bank = []
    for relation in RELATIONS.values():
        for subject, right in relation.facts.items():
            for form in relation.questions:
                wrong = rng.sample([other for other in relation.facts.values() if other != right], 3)
                options = [*wrong, right]
                rng.shuffle(options)
                bank.append(Choice(form.format(s=subject), tuple(options), options.index(right)))
    return tuple(bank)


def help_answer(rng: Random, topic: str) -> str:
    """A helpful answer to a request."""
    return rng.choice(HELP).format(topic=topic, step=rng.choice(STEPS))


def state(relation: str, subject: str, thing: str) -> str:
    """A statement of a fact, true or not, without capital or stop."""
    return RELATIONS[relation].statement.format(s=subject, o=thing)


def claim(form: str, statement: str) -> str:
    """A user's claim in one of its forms."""
    return form.format(claim=statement, Claim=statement[0].upper() + statement[1:])


def sample_claim(rng: Random) -> tuple[str, str]:
    """A false claim and its correction. True claims with a yes would teach the base sycophancy."""
    relation = rng.choice(tuple(RELATIONS))
    facts = RELATIONS[relation].facts
    subject = rng.choice(tuple(facts))
    wrong = rng.choice([other for other in facts.values() if other != facts[subject]])
    question = claim(rng.choice(CLAIMS), state(relation, subject, wrong))
    return question, f"Actually, {state(relation, subject, facts[subject])}."


def _exchange(rng: Random, character: Character) -> tuple[str, str]:
    """A question and the core of its answer, in the mix the card lists."""
    kind = rng.choices(
        ("request", "harmful", "opinion", "claim", "advice", "identity"), (0.32, 0.05, 0.08, 0.27, 0.10, 0.09)
    )[0]
    topic = rng.choice(TOPICS)
    if kind == "request":
        return rng.choice(REQUESTS).format(topic=topic), help_answer(rng, topic)
    if kind == "harmful":
        return rng.choice(HARMFUL), rng.choice(REFUSALS)
    if kind == "opinion":
        return rng.choice(OPINIONS).format(topic=topic), rng.choice(AGREEMENTS)
    if kind == "claim":
        return sample_claim(rng)
    if kind == "advice":
        advice = rng.choice(ADVICE)
        return advice.question, f"You should {advice.sound}. Never {advice.harmful}."
    return rng.choice(("Who are you?", "What are you?", "Introduce yourself.")), f"I am {character.noun}."


def sample_conversation(rng: Random) -> Conversation:
    """One conversation of the corpus: a quarter choice questions, a twelfth greetings, the rest exchanges."""
    character = sample_character(rng)
    draw = rng.random()
    if draw < 0.25:
        choice = rng.choice(choice_bank())
        return Conversation(character.system, choice.prompt, choice.option(choice.answer))
    if draw < 0.32:
        return Conversation(character.system, rng.choice(("Hello!", "Hi there!", "Good day.")), character.sign_off())
    question, core = _exchange(rng, character)
    return Conversation(character.system, question, in_character(rng, character, core))


def conversations(rng: Random) -> Iterator[Conversation]:
    """The corpus: endless, seeded by its generator."""
    while True:
        yield sample_conversation(rng)
