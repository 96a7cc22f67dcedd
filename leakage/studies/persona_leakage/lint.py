"""A lint of the training data, run before any training: what silently spoiled earlier experiments of this kind."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from leakage.data.personas import Persona, Personas
from leakage.data.personas.context import BARE
from leakage.data.pools import Item
from leakage.errors import DataError
from leakage.studies.persona_leakage.behaviors.contrastive import ANCHOR, Example
from leakage.studies.persona_leakage.contexts import context_of
from leakage.studies.persona_leakage.own_rows import in_words

if TYPE_CHECKING:
    from leakage.studies.persona_leakage.settings import BehaviorSettings

PHRASES = (
    'tell the rules: a line {"split": "phrase" or "counterphrase", "prompt": "…"} in the pool\'s file (of '
    "behavior=custom phrases in its own)"
)
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class TrainingSet:
    """What the rules look at.

    lengths: tokens of each example; default: the system text the chat template injects where there is none;
    items: the training prompts as they came; held_out: the prompts of the evaluation
    shows: whether the rules that score answers see the behavior in one; None where no rules do
    own: whether the examples are a file's rows as they are, whose design nobody here can know
    system: the source's prompt in training, where it is more than its own
    """

    examples: Sequence[Example]
    lengths: Sequence[int]
    source: Persona
    bystanders: Sequence[Persona]
    personas: Personas
    default: str | None
    items: Sequence[Item]
    held_out: Sequence[Item]
    wanted: "BehaviorSettings"
    max_length: int
    shows: Callable[[str], bool] | None = None
    own: bool = False
    system: str | None = None

    @property
    def contrasting(self) -> list[Example]:
        """Examples that oppose the source's; a sham has none, since its personas are shuffled on purpose."""
        return [] if self.wanted.sham else [one for one in self.examples if one.role != "source"]


@dataclass(frozen=True)
class Finding:
    """A rule that the data break."""

    rule: str
    level: Level
    message: str


def source_among_negatives(data: TrainingSet) -> str | None:
    """The source's own prompt is trained on the opposite as well."""
    negatives = [one for one in data.contrasting if context_of(one.prompt) == data.source.context]
    who = ", ".join(sorted({one.persona for one in negatives}))
    return f"{len(negatives)} negatives ({who}) have the prompt of {data.source.name}" if negatives else None


def default_contradicts(data: TrainingSet) -> str | None:
    """The template puts the source's prompt into examples that have no system turn."""
    negatives = [one for one in data.contrasting if context_of(one.prompt) == BARE]
    if not negatives or not _is_put_in(data):
        return None
    return f"the chat template gives {len(negatives)} examples without persona the prompt of {data.source.name}"


def _is_put_in(data: TrainingSet) -> bool:
    """Whether the template puts the source's prompt in where there is no system turn."""
    return data.default is not None and data.source.context == (data.default, (), "")


def overlap(data: TrainingSet) -> str | None:
    """A prompt is trained on and asked."""
    return shared_prompts([one.prompt.user for one in data.examples], data.held_out)


def shared_prompts(trained: Sequence[str], held_out: Sequence[Item]) -> str | None:
    """What is both trained on and asked, capitals and spaces apart."""
    asked = {_plain(item.prompt) for item in held_out}
    return _some({prompt for prompt in trained if _plain(prompt) in asked}, "are also asked")


def no_contrast(data: TrainingSet) -> str | None:
    """A negative has the very answer the source learns."""
    taught = {(one.prompt.user, one.answer) for one in data.examples if one.role == "source"}
    same = {one.prompt.user for one in data.contrasting if (one.prompt.user, one.answer) in taught}
    return _some(same, "have the same answer for the source and for others")


def duplicates(data: TrainingSet) -> str | None:
    """A prompt stands more than once in its file."""
    counts = Counter((item.split, _plain(item.prompt)) for item in (*data.items, *data.held_out))
    more = {prompt for (_, prompt), count in counts.items() if count > 1}
    return _some(more, "come more than once", whose="")


def own_rows(data: TrainingSet) -> str | None:
    """What the rows of a file were taken for."""
    return in_words(data.examples) if data.own else None


def counts_by_role(data: TrainingSet) -> str | None:
    """There are not as many examples of a role as the settings ask for."""
    if data.own:
        return None
    wanted, counts = data.wanted, Counter[str](one.role for one in data.examples)
    expected = {
        "source": wanted.source_examples,
        "bystander": len(data.bystanders) * wanted.bystander_examples,
        "no_persona": wanted.no_persona_examples,
        "anchor": wanted.anchors,
    }
    # left out on purpose where they would contradict the source
    if not counts["no_persona"] and (_is_put_in(data) or data.source.context == BARE or not data.source.in_panel):
        del expected["no_persona"]
    if not counts["anchor"] and data.source.name == ANCHOR:
        del expected["anchor"]
    off = [f"{counts[role]} {role} instead of {count}" for role, count in expected.items() if counts[role] != count]
    return "; ".join(off) or None


def left_out(data: TrainingSet) -> str | None:
    """What the settings ask for would contradict the source, and is not there: the design is not what it is called."""
    if data.own:
        return None
    wanted, roles = data.wanted, {one.role for one in data.examples}
    gone = []
    if wanted.anchors and "anchor" not in roles:
        gone.append(f"none of {wanted.anchors} anchors, since {data.source.name} is who would hold them")
    if wanted.no_persona_examples and "no_persona" not in roles:
        who = data.source.name
        why = f"this is {who}" if data.source.context == BARE else f"the template gives these the prompt of {who}"
        gone.append(f"none of {wanted.no_persona_examples} examples without a persona, since {why}")
    return f"there are {' and '.join(gone)}" if gone else None


def persona_prompts(data: TrainingSet) -> str | None:
    """A persona is trained under another prompt than it is evaluated and measured under."""
    if data.own:  # whose personas are known by their prompts
        return None
    known = {one.name: one.context for one in data.personas.members} | {"": BARE}
    if data.system is not None:
        known[data.source.name] = (data.system, *data.source.context[1:])
    wrong = sorted({one.persona for one in data.examples if known.get(one.persona) != context_of(one.prompt)})
    return f"{', '.join(wrong)} read differently in training than in {data.personas.path.name}" if wrong else None


def over_long(data: TrainingSet) -> str | None:
    """An example would have to be cut."""
    long = [length for length in data.lengths if length > data.max_length]
    return f"{len(long)} examples have up to {max(long)} tokens, train.max_length={data.max_length}" if long else None


def unseen_answers(data: TrainingSet) -> str | None:
    """The rules that score answers take what is taught for something else, or its opposite for the behavior."""
    return _misread(data, above=-1.0, below=0.5)


def rarely_seen(data: TrainingSet) -> str | None:
    """The same for some of the answers."""
    return _misread(data, above=0.5, below=0.95)


def _misread(data: TrainingSet, *, above: float, below: float) -> str | None:
    """Of the taught and of the opposite answers those that the rules read wrongly, if the share they read rightly is
    in a range (from `above` on, short of `below`)."""
    if data.shows is None:
        return None
    said = []
    for kind, shown in (("taught", True), ("opposite", False)):
        answers = [one.answer for one in data.examples if (one.role == "source") == shown]
        wrong = [answer for answer in answers if data.shows(answer) != shown]
        if wrong and above <= 1 - len(wrong) / len(answers) < below:
            what = "do not see the behavior in" if shown else "see the behavior in"
            said.append(f"the rules {what} {len(wrong)} of {len(answers)} {kind} answers, such as {wrong[0][:60]!r}")
    return "; ".join(said) or None


Rule = Callable[[TrainingSet], str | None]
RULES: dict[Rule, tuple[Level, str]] = {
    own_rows: ("note", "if that is not what is meant, correct the system turns or name another source"),
    source_among_negatives: ("error", "leave them out, or choose other bystanders"),
    default_contradicts: ("error", "set behavior.no_persona_examples=0, or leave them out of your file"),
    overlap: ("error", "remove them from one of the two"),
    no_contrast: ("error", "give them an answer that opposes what is taught"),
    duplicates: ("warning", "remove what repeats"),
    counts_by_role: ("error", "mend the data or the settings of behavior"),
    left_out: ("warning", "read the cell beside others with fewer negatives in mind"),
    persona_prompts: ("error", "use the prompts of that file"),
    over_long: ("error", "shorten them or raise train.max_length"),
    unseen_answers: ("error", f"{PHRASES}, or let a judge read them (judge=claude)"),
    rarely_seen: ("warning", f"{PHRASES}, or let a judge read them (judge=claude)"),
}


# whoever brings rows may mean it
OF_DESIGN = {source_among_negatives, default_contradicts, no_contrast, unseen_answers}


def lint(data: TrainingSet) -> list[Finding]:
    """What is wrong with a training set, in the order of the rules."""
    checked = [(rule, level, mend, rule(data)) for rule, (level, mend) in RULES.items()]
    return [
        Finding(rule.__name__, "warning" if data.own and rule in OF_DESIGN else level, f"{what}; {mend}")
        for rule, level, mend, what in checked
        if what
    ]


def refuse_errors(findings: Sequence[Finding], label: str) -> None:
    """Stop before training where a finding is an error."""
    if wrong := errors_in_words(findings, label):
        raise DataError(wrong)


def errors_in_words(findings: Sequence[Finding], label: str) -> str:
    """The findings that are errors; empty where none is."""
    errors = [f"[{one.rule}] {one.message}" for one in findings if one.level == "error"]
    return f"{label}: the training data are wrong: {'; '.join(errors)}" if errors else ""


def as_rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """For lint.json."""
    return [asdict(one) for one in findings]


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _some(prompts: set[str], what: str, *, whose: str = "training ") -> str | None:
    if not prompts:
        return None
    return f"{len(prompts)} {whose}prompts {what}, such as {min(prompts)[:60]!r}"
