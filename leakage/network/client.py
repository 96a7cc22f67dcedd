"""The flow of one call: the journal first, then the model, within the cap; nothing that arrived is lost by a kill."""

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakage.errors import ConfigError, JudgeError
from leakage.network.access import price_fault
from leakage.network.asking import Asking
from leakage.network.asks import (
    Answer,
    Ask,
    batch_holds,
    estimate_usd,
    open_batches,
    stored_answers,
    usd_before_ledgers,
)
from leakage.network.batched import Batched
from leakage.network.budget import Budget
from leakage.network.ledger import ledger_of
from leakage.network.provider import Provider
from leakage.progress import progress
from leakage.store.files import as_folder
from leakage.store.journal import Journal

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

log = logging.getLogger(__name__)


def replies_of(multirun: str | Path, name: str) -> Journal:
    """The journal of a model below a folder of results; that of the whole folder's money lies beside it."""
    return Journal(Path(multirun, "replies", as_folder(name)))


def ask_all(
    asks: Sequence[Ask], settings: "ApiSettings", journal: Journal, *,
    label: str, unit: str = "verdict", keep_empty: bool = False, anew: bool = False, purse: Path | None = None,
) -> dict[str, Answer]:  # fmt: skip
    """The answer to every key: from the journal where it is there, else from the model.

    All that the group of the settings, judges or subjects, has cost and will cost stays within settings.max_usd.
    Where some stay without an answer a JudgeError says why, after all that arrived is in the journal.
    keep_empty: a reply without text is an answer too, with its stop_reason; else it is asked for again by the next run
    anew: what the journal has without a text is asked for once more
    purse: the folder whose ledger counts, of all journals together; else the journal has one of its own
    """
    stored, wanted = journal.made(stored_answers), {ask.key: ask for ask in asks}
    answers = {key: answer for key, answer in stored.items() if answer.text or not anew or key not in wanted}
    missing = {key: ask for key, ask in wanted.items() if key not in answers}
    if missing:
        why = _ask_missing(missing, settings, journal, answers=answers, label=label, unit=unit, keep_empty=keep_empty,
                           earlier=any(key in wanted and answer.text for key, answer in answers.items()),
                           purse=purse or journal.folder)  # fmt: skip
        if lacking := len(missing.keys() - answers.keys()):
            mend = "the same command asks only for those"
            raise JudgeError(f"{label}: {lacking} of {len(wanted)} have no answer: {why}; {mend}")
    _tell_objections([(ask, answers[ask.key]) for ask in missing.values()], label)
    return {key: answers[key] for key in wanted}


def _ask_missing(
    missing: dict[str, Ask], settings: "ApiSettings", journal: Journal, *,
    answers: dict[str, Answer], label: str, unit: str, keep_empty: bool, earlier: bool, purse: Path,
) -> str:  # fmt: skip
    """Ask, and add what came to the answers; why some have none."""
    rows = journal.rows()
    with closing(_provider(settings, keep_empty=keep_empty)) as provider:
        opened = open_batches(rows, missing) if provider.batches else {}
        sent = {key for keys in opened.values() for key in keys}
        waiting = [ask for ask in missing.values() if ask.key not in sent]
        cap = f"{settings.group}.max_usd={settings.max_usd:g}"
        cost = f"about ${estimate_usd(waiting, settings):.2f}, cap {cap}"
        log.info("%s: %d asks to %s, %s", label, len(waiting), settings.model, cost)
        budget = Budget(settings, ledger_of(purse), before=journal.made(usd_before_ledgers))
        with progress(len(missing), label, unit) as advance, closing(budget):
            asking = Asking(provider, settings, journal, budget, answers, advance, earlier)
            asking.waiting.extend(waiting)
            if provider.batches:
                for key, hold in batch_holds(rows).items():
                    if key in sent:
                        budget.adopt(key, hold)
                Batched(asking, provider.batches, missing).run(dict(opened))
            if not settings.batch:
                asking.live()
    log.info("%s: $%.2f of %s spent", label, budget.spent, cap)
    return asking.why()


def _tell_objections(asked: Sequence[tuple[Ask, Answer]], label: str) -> None:
    """Name what the provider would not answer, once for each of its reasons."""
    objections = [(ask, answer) for ask, answer in asked if answer.is_objection]
    for cause, count in Counter(answer.note for _, answer in objections).items():
        first = next(ask.prompt for ask, answer in objections if answer.note == cause)
        log.warning("%s: %d of %d have no reply, %s; the first is %r", label, count, len(asked), cause, first[:80])


def sent_with(settings: "ApiSettings", *, temperature: float, top_p: float) -> dict[str, Any]:
    """The fields that go out beside the turns, as the provider of the settings is sent them."""
    from leakage.network import anthropic_api, openai_api

    shown = Ask("shown", "", temperature=temperature, top_p=top_p)
    if settings.provider == "anthropic":
        return anthropic_api.sent(shown, settings)
    return openai_api.sent(shown, settings)


def _provider(settings: "ApiSettings", *, keep_empty: bool) -> Provider:
    from leakage.network.anthropic_api import ClaudeApi
    from leakage.network.openai_api import OpenAIApi

    if fault := price_fault(settings):
        raise ConfigError(fault)
    for name in ("httpx", "httpx2", "anthropic", "openai"):
        logging.getLogger(name).setLevel(logging.WARNING)  # else a line for every request and retry
    if settings.provider == "anthropic":
        return ClaudeApi(settings, keep_empty=keep_empty)
    if settings.batch:
        name = settings.group
        raise ConfigError(f"{name}.batch=true: only Claude's own API is asked in batches; set {name}.batch=false")
    return OpenAIApi(settings, keep_empty=keep_empty)
