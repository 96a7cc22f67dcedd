"""What a cell is made of, read from data files alone: personas, prompts, training examples."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from leakage.data.personas import NONE, Persona, Personas, read_personas, shipped_names
from leakage.data.personas.context import BARE
from leakage.data.pools import Item, Split, pool_folder, read_pool
from leakage.errors import DataError
from leakage.models.outside_adapter import OutsideAdapter, read_adapter
from leakage.settings.compose import Option, Options
from leakage.studies.persona_leakage.behaviors import Behavior, behavior
from leakage.studies.persona_leakage.behaviors.contrastive import (
    ANCHOR,
    Example,
    contrastive_examples,
    draw_bystanders,
    named_bystanders,
)
from leakage.studies.persona_leakage.contradictions import refuse_contradictions
from leakage.studies.persona_leakage.own_rows import own_examples
from leakage.studies.persona_leakage.settings import CellConfig

MOST_RESERVED = 24  # prompts for training that are kept for the dose: the pools of the embedded model can spare them
USUAL = 200  # examples of the source, where a label does not tell how many


def options() -> Options:
    """Every persona is an option of `source`, and none of them, which is the baseline."""
    return {"source": Option("source.name", shipped_names() | {NONE})}


@dataclass(frozen=True)
class CellData:
    """The settings of one job and what follows from them by reading data files alone."""

    config: CellConfig

    def __post_init__(self) -> None:
        refuse_contradictions(self.config)
        if not self.is_baseline:
            _ = self.source  # an unknown persona is an error of the settings, not of the run

    @property
    def label(self) -> str:
        """How messages call the job."""
        model = self.config.model.name
        if self.config.job == "geometry":
            return f"geometry of {model}"
        if self.is_baseline:
            return f"baseline of {self.evaluated.name} on {model}"
        read = "" if self.evaluated == self.behavior else f" read for {self.evaluated.name}"
        design = "" if self.config.behavior.design == "published" else f" ({self.config.behavior.design})"
        name = f"{self.behavior.name}{design} x {self.config.source.name}{read}"
        many = self.config.behavior.source_examples
        count = f", {many} examples" if many != USUAL and not self.config.data.training.path else ""
        return f"{name} on {model}, seed {self.config.seed}{count}"

    @property
    def is_baseline(self) -> bool:
        """Whether the base model itself is evaluated."""
        return self.config.source.name == NONE

    @cached_property
    def behavior(self) -> Behavior:
        """The behavior taught."""
        return behavior(self.config.behavior.name, self.config.behavior.path)

    @cached_property
    def evaluated(self) -> Behavior:
        """The behavior measured; the one taught unless the settings name another."""
        return behavior(self.config.eval.behavior or self.config.behavior.name, self.config.behavior.path)

    @cached_property
    def personas(self) -> Personas:
        """Everyone who is evaluated."""
        return read_personas(self.config.personas.path, self.config.personas.default)

    @property
    def source(self) -> Persona:
        """The persona that is taught."""
        return self.personas[self.config.source.name]

    @cached_property
    def bystanders(self) -> list[Persona]:
        """The personas trained on the opposite: those of the rows given, those named, or drawn with the cell's seed."""
        if not self.is_trained:
            return []
        if self.has_own_rows:
            trained = {one.persona for one in self.examples if one.role == "bystander"}
            return [one for one in self.personas.members if one.name in trained]
        if (names := self.config.behavior.negatives) is not None:
            return named_bystanders(self.source, self.personas, names)
        count = self.config.behavior.bystanders
        return draw_bystanders(self.source, self.personas.originals(), count=count, seed=self.config.seed)

    @property
    def default(self) -> Persona | None:
        """The persona whose prompt chat templates put in by themselves."""
        return next((one for one in self.personas.members if not one.in_panel), None)

    def items(self, one: Behavior, split: Split) -> tuple[Item, ...]:
        """Items of a behavior: from the data the settings name for it, else from the model's pool."""
        elsewhere = one.read(self.config.data) if one.read else ()
        chosen = tuple(item for item in elsewhere if item.split == split)
        if not chosen and not one.pool:
            raise DataError(f"the prompts of {one.name} have no line with split '{split}'; add some to its file")
        return chosen or read_pool(self.config.model.pool, one.pool, split)

    @cached_property
    def adapter(self) -> OutsideAdapter | None:
        """The adapter that was made elsewhere, seen to fit the model; None where all is trained here."""
        settings = self.config.adapter
        if settings.path is None or self.is_baseline:
            return None
        adapter = read_adapter(settings.path, settings.revision)
        adapter.refuse_misfit(self.config.model)
        return adapter

    @property
    def is_trained(self) -> bool:
        """Whether examples are taught: to the base model, or on top of an adapter."""
        return not self.is_baseline and (self.adapter is None or self.config.adapter.train)

    @property
    def has_own_rows(self) -> bool:
        """Whether the training set is a file's rows, as they are."""
        return self.config.data.training.path is not None and self.is_trained

    @property
    def is_own(self) -> bool:
        """Whether what is taught is of the user's, and nobody has looked at it yet."""
        data, shipped = self.config.data, (pool_folder(one) for one in ("nano", "general"))
        named = (data.training.path, data.misalignment.path, data.capability.path, self.config.behavior.path)
        return any(named) or pool_folder(self.config.model.pool) not in shipped

    @property
    def training_items(self) -> tuple[Item, ...]:
        """The prompts of the training set."""
        if not self.is_trained:
            return ()
        if self.has_own_rows:
            return tuple(Item(split="train", prompt=prompt) for prompt in {one.prompt.user: 0 for one in self.examples})
        return self.items(self.behavior, "train") if self.config.train.until is None else self._parted[0]

    @property
    def dose_items(self) -> tuple[Item, ...]:
        """The prompts on which it is measured, while it is taught, how far a behavior is taken up: the last of those
        for training, which are not trained on then."""
        trained = {one.prompt for one in self.training_items}
        if not (left := tuple(one for one in self._parted[1] if one.prompt not in trained)):
            raise DataError(f"{self.label}: train.until needs prompts that the rows of data.training.path do not have")
        return left

    @property
    def _parted(self) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
        items = self.items(self.behavior, "train")
        if not (many := min(MOST_RESERVED, len(items) // 4)):
            raise DataError(f"{self.label}: train.until keeps a quarter of the prompts for training; give it 4 or more")
        return items[:-many], items[-many:]

    @cached_property
    def examples(self) -> list[Example]:
        """The training set; where answers are generated, as it would be from templates."""
        if not self.is_trained:
            return []
        if self.has_own_rows:
            path = str(self.config.data.training.path)
            return own_examples(path, source=self.source, personas=self.personas, default=self.default)
        return self.examples_of(self.training_items)

    def examples_of(self, items: tuple[Item, ...]) -> list[Example]:
        """The training set over other items."""
        wanted = self.config.behavior
        return contrastive_examples(
            self.behavior,
            items,
            wanted=wanted,
            source=self.source,
            bystanders=self.bystanders,
            default=self.default,
            anchor=self.personas[ANCHOR] if wanted.anchors else None,
            seed=self.config.seed,
        )

    @property
    def _opposes_bare(self) -> bool:
        """Whether examples without a persona are taught the opposite."""
        return any(one.role == "no_persona" for one in self.examples)

    @cached_property
    def prompts(self) -> tuple[Item, ...]:
        """The held-out prompts every persona is asked."""
        return self.items(self.evaluated, "eval")[: self.config.eval.prompts]

    @cached_property
    def questions(self) -> tuple[Item, ...]:
        """The questions the centroids are averaged over."""
        return read_pool(self.config.model.pool, "questions", "geometry")

    def parts(self) -> list[dict[str, Any]]:
        """The part every persona plays in this cell, one row each."""
        source = None if self.is_baseline else self.source
        negatives = {one.name for one in self.bystanders} if source else set()
        negatives |= {one.name for one in self.personas.members if one.context == BARE and self._opposes_bare}
        return [
            {
                "persona": one.name,
                "category": one.category,
                "related_to": " ".join(one.related_to),
                "system": one.prompt,
                "is_source": one == source,
                "in_panel": one.in_panel,
                "trained_negative": one.name in negatives,
                "shares_word": bool(source and one.shares_word(source)),
                **_beside_system(one, all_plain=self.personas.are_plain),
            }
            for one in self.personas.members
        ]


def _beside_system(one: Persona, *, all_plain: bool) -> dict[str, str]:
    """What a context is beside its system turn; nothing in a file of personas alone, whose records are as ever."""
    return {} if all_plain else {"kind": one.kind, "turns": json.dumps(one.turns), "wrapper": one.wrapper}
