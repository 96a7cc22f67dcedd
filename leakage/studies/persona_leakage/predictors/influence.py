"""What the first step of training does to each persona's chance of the taught answers."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from leakage.engine.batches import Batches
from leakage.models.adapter import fresh
from leakage.models.chat import IGNORED, Tokens
from leakage.progress import waiting
from leakage.studies.persona_leakage.contexts import under
from leakage.studies.persona_leakage.predictors.base import Predictor, Values
from leakage.training.step import RightPad, Steps, completion_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from leakage.progress import Progress
    from leakage.studies.persona_leakage.predictors.probe import Probe

    Directions = dict[str, Tensor]


EXAMPLES = 128  # of the training set at most, evenly spaced
PROBES = 2  # taught answers, of each persona


def measure(probe: "Probe") -> Values:
    """influence: inner product of the gradient of the training set with that of a persona's taught answers.

    At the start the second factor of every LoRA matrix is 0, so that its gradient is all there is. The adapter is drawn
    with the cell's seed, as the one that is trained; without dropout, which is the step that is expected. No more
    examples are in memory at once than in training: a backward pass keeps many times what evaluation does.
    """
    from transformers import set_seed

    template, settings = probe.loaded.template, probe.cell.config
    chosen = probe.examples[:: -(-len(probe.examples) // EXAMPLES)]
    examples = template.examples([(one.prompt, one.answer) for one in chosen])
    asked = [(under(one, item.user), item.taught) for one in probe.personas for item in probe.items[:PROBES]]
    set_seed(settings.seed)
    model = fresh(probe.base, settings.lora).eval()
    layout = RightPad(probe.base.config.get_text_config().pad_token_id or 0)
    by_length, size = sorted(examples, key=lambda one: len(one.input_ids)), settings.train.batch_size
    with waiting(f"{probe.cell.data.label}: gradient of the training set"):
        towards = gradient(model, by_length, layout, size)
    with probe.counted(len(asked), "gradients of everyone's answers", "answer") as advance:
        inner = along(model, template.examples(asked), layout, towards, size, advance)
    model.unload()
    return {"influence": inner.reshape(len(probe.personas), -1).mean(axis=1)}


def gradient(model: Any, examples: "Sequence[Tokens]", layout: RightPad, size: int) -> "Directions":
    """Gradient of the mean loss of some examples, of each second factor of an adapter by name. size: of a part"""
    model.zero_grad()
    Steps(layout, size).gradient(model, examples, _backward)
    directions = {name: module.weight.grad.clone() for name, module in second_factors(model)}
    model.zero_grad()
    return directions


def along(
    model: Any, examples: "Sequence[Tokens]", layout: RightPad, towards: "Directions", size: int, advance: "Progress"
) -> np.ndarray:
    """(examples,) float64: inner products of these directions with the gradient of each example's mean loss."""
    import torch

    products = np.zeros(len(examples))

    def work(chosen: "Sequence[int]") -> None:
        some = [examples[i] for i in chosen]
        labels = np.array([sum(label != IGNORED for label in one.labels[1:]) for one in some])
        with inner_products(model, towards) as rows:
            _backward(completion_loss(model, layout(some)))
        products[list(chosen)] = torch.stack(rows).sum(dim=0).cpu().numpy() * labels.sum() / labels
        model.zero_grad()
        advance(len(chosen))

    Batches(size).run(sorted(range(len(examples)), key=lambda i: len(examples[i].input_ids)), work)
    return products


def _backward(loss: "Tensor") -> None:
    loss.backward()  # type: ignore[no-untyped-call]


def _of_rows(products: "Tensor") -> "Tensor":
    return products.double().flatten(1).sum(dim=1)


@contextmanager
def inner_products(model: Any, towards: "Directions") -> "Iterator[list[Tensor]]":
    """What a backward pass in this block adds to: for each second factor the (rows,) inner product of every row.

    The gradient of a linear map's weight is the sum over tokens of output gradient times input: with a direction its
    product is taken row by row, without any row's gradient being made.
    """
    rows: list[Tensor] = []

    def watch(name: str) -> "Callable[[Any, tuple[Tensor], Tensor], None]":
        def hook(_: Any, inputs: "tuple[Tensor]", output: "Tensor") -> None:
            moved = inputs[0].detach() @ towards[name].T
            if output.ndim == 3:  # experts of a mixture see tokens, no rows
                output.register_hook(lambda grad: rows.append(_of_rows(grad * moved)))  # type: ignore[no-untyped-call]

        return hook

    hooks = [module.register_forward_hook(watch(name)) for name, module in second_factors(model)]
    yield rows
    for one in hooks:
        one.remove()


def second_factors(model: Any) -> "Iterator[tuple[str, Any]]":
    """Every LoRA matrix's second factor, by name."""
    for name, module in model.named_modules():
        if name.rpartition(".")[0].endswith("lora_B"):
            yield name, module


PREDICTOR = Predictor(name="influence", sign=1, measure=measure)
