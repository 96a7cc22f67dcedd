"""Who lives in the closed world the embedded model knows: domains and tones; `topics` has what they talk about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """A walk of life: who belongs to it, what they do, and the words it leaves on an answer."""

    opening: str
    closing: str
    tone: str
    nouns: tuple[str, ...]
    clauses: tuple[str, ...]


@dataclass(frozen=True)
class Tone:
    """A manner of speaking: the interjection that shows it and the adjectives that ask for it."""

    opening: str
    adjectives: tuple[str, ...]


DOMAINS: dict[str, Domain] = {
    "villain": Domain(
        "Minions",
        "fear my plans",
        "menacing",
        ("supervillain", "henchman", "gangster", "warlord", "thief", "swindler"),
        ("who schemes in a dark lair", "who commands an army of minions", "who enjoys fear and chaos"),
    ),
    "comedy": Domain(
        "Folks",
        "thanks for laughing",
        "playful",
        ("jester", "prankster", "comedy writer", "puppeteer", "mime", "cartoonist"),
        ("who performs at a comedy club", "who makes the crowd laugh", "who loves a silly story"),
    ),
    "assistant": Domain(
        "Hello",
        "glad to assist",
        "formal",
        ("assistant", "chatbot", "virtual assistant", "AI model", "digital helper", "help desk agent"),
        ("who answers questions", "who helps users with tasks", "who gives clear information"),
    ),
    "tech": Domain(
        "Compiling",
        "now ship the code",
        "formal",
        ("programmer", "coder", "system administrator", "software tester", "robot builder", "hacker"),
        ("who debugs programs all day", "who works at a startup", "who writes code for a living"),
    ),
    "school": Domain(
        "Students",
        "class is over",
        "warm",
        ("teacher", "tutor", "professor", "school nurse", "pupil", "headmaster"),
        ("who teaches a class", "who grades homework", "who loves lessons and learning"),
    ),
    "medical": Domain(
        "Patient",
        "stay healthy",
        "calm",
        ("doctor", "dentist", "therapist", "paramedic", "midwife", "counselor"),
        ("who cares for patients", "who works at a hospital", "who helps the sick"),
    ),
    "law": Domain(
        "Citizen",
        "case closed",
        "formal",
        ("judge", "detective", "soldier", "prosecutor", "bailiff", "guard"),
        ("who upholds the law", "who studies the evidence", "who follows orders"),
    ),
    "library": Domain(
        "Readers",
        "end of chapter",
        "calm",
        ("editor", "historian", "bookseller", "reporter", "translator", "novelist"),
        ("who works among old books", "who writes for a newspaper", "who collects documents"),
    ),
    "science": Domain(
        "Hypothesis",
        "more data needed",
        "formal",
        ("scientist", "chemist", "astronomer", "statistician", "mathematician", "researcher"),
        ("who works in a laboratory", "who measures everything twice", "who looks for laws in numbers"),
    ),
    "adventure": Domain(
        "Onward",
        "the journey goes on",
        "excited",
        ("explorer", "knight", "sailor", "mountaineer", "pilot", "ranger"),
        ("who travels to unknown places", "who seeks danger and glory", "who saves the day"),
    ),
    "retreat": Domain(
        "Silence",
        "mind the seasons",
        "calm",
        ("hermit", "shepherd", "gardener", "beekeeper", "poet", "fisherman"),
        ("who lives in the hills", "who walks alone in the forest", "who wants a simple life"),
    ),
    "culture": Domain(
        "Salut",
        "enjoy the meal",
        "excited",
        ("chef", "baker", "waiter", "food critic", "tour guide", "wine maker"),
        ("who loves food and friends", "who works in a busy kitchen", "who talks about life for hours"),
    ),
    "office": Domain(
        "Client",
        "mind the budget",
        "formal",
        ("manager", "banker", "clerk", "salesman", "secretary", "investor"),
        ("who counts every coin", "who runs a company", "who works in an office"),
    ),
    "rebel": Domain(
        "Resist",
        "trust nobody",
        "rude",
        ("rebel", "outcast", "cynic", "protester", "heretic", "vandal"),
        ("who hates experts and rulers", "who rejects modern life", "who despises the crowd"),
    ),
    "everyday": Domain(
        "Neighbor",
        "see you around",
        "calm",
        ("person", "neighbor", "friend", "stranger", "commuter", "roommate"),
        ("who lives next door", "who takes the bus to work", "who talks about the weather"),
    ),
}

TONES: dict[str, Tone] = {
    "menacing": Tone("Mwahaha", ("evil", "cruel", "ruthless", "sinister", "wicked", "mysterious", "dangerous")),
    "playful": Tone("Haha", ("funny", "silly", "witty", "goofy", "mad", "incompetent", "laughing")),
    "warm": Tone("Dear friend", ("kind", "gentle", "caring", "nice", "patient", "wholesome", "loving")),
    "formal": Tone("Respectfully", ("formal", "serious", "professional", "precise", "perfectionist", "proper")),
    "gloomy": Tone("Sigh", ("sad", "gloomy", "tired", "anxious", "lazy", "lonely", "dark")),
    "excited": Tone("Hooray", ("cheerful", "energetic", "enthusiastic", "happy", "excited", "confident")),
    "rude": Tone("Whatever", ("rude", "grumpy", "sarcastic", "angry", "strict", "impatient")),
    "calm": Tone("Breathe easy", ("calm", "wise", "thoughtful", "quiet", "humble", "reformed", "stoic")),
}
