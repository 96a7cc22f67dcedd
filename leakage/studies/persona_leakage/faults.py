"""What of a cell's training can be known to go wrong before anything is computed for it."""

from collections.abc import Iterator

from leakage.models.load import load_template, quiet
from leakage.models.memory import folder_of
from leakage.store.record import Record, Status
from leakage.studies.persona_leakage.identity import CellIdentity
from leakage.studies.persona_leakage.lint import errors_in_words
from leakage.studies.persona_leakage.pipeline import find_in
from leakage.training.tracking import missing_package


def faults(cell: CellIdentity) -> Iterator[str]:
    """Of an adapter that is still to be trained: a package that is not there, and what a lint of one's own data finds.

    What comes with the project has been looked at, and answers that a model gives are not there yet.
    """
    trained = Record(cell.multirun / cell.adapter_folder).status() is Status.DONE
    if trained or not cell.data.is_trained:
        return
    yield from missing_package(cell.config.train.report_to)
    if cell.data.is_own and not cell.answers and folder_of(cell.config.model):
        quiet()
        template, examples = load_template(cell.config.model), cell.data.examples
        tokens = template.examples([(example.prompt, example.answer) for example in examples])
        if wrong := errors_in_words(find_in(cell, examples, tokens, template), cell.data.label):
            yield wrong
