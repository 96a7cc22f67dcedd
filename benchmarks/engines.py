"""This project's engine and training step against others': python -m benchmarks.engines [generate] [choices] [step].

Everybody does the same work in the same run, in turns, and in the same dtype; each has warmed up. What they make is
held against what ours makes before any time is printed. Those whose library is not in .venv-peers are left out; make
bench installs it.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from hydra import compose, initialize_config_dir

from benchmarks.contenders.serving import Task
from benchmarks.contenders.starting import ROOT, Contender
from leakage.cli.register import register
from leakage.data.pools import read_pool
from leakage.models.chat import ChatTemplate, Prompt
from leakage.models.fingerprint import locate
from leakage.models.load import load_template
from leakage.settings.schema import load
from leakage.studies.persona_leakage.cell import Cell
from leakage.studies.persona_leakage.settings import CellConfig

PEERS = str(ROOT / ".venv-peers" / "bin" / "python")
CONTENDERS = {
    "generate": (
        ("padded generate", "padded", sys.executable),
        ("continuous batching", "continuous", sys.executable),
        ("vLLM", "vllm_offline", PEERS),
    ),
    "choices": (("lm-eval", "lm_eval_harness", PEERS),),
    "step": (("trl", "trl_trainer", PEERS),),
}  # fmt: skip
MODELS = {"smollm2": "smollm2-135m-instruct", "nano": "nano"}
EXACT = 1e-4  # of log-probabilities, and of losses and gradients relative to them: float32 added up in another order


def main() -> None:
    """Time what is asked for, and print a table of each."""
    arguments = parser().parse_args()
    for kind in arguments.kinds or CONTENDERS:
        compare(kind, task_of(kind, arguments), arguments.repeats)


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("kinds", nargs="*", type=known, help="of generate, choices, step; all, if none is named")
    asked.add_argument("--model", choices=MODELS, default="smollm2")
    asked.add_argument("--dtype", default="float32")
    asked.add_argument("--repeats", type=int, default=5)
    asked.add_argument("--personas", type=int, default=4, help="to generate for; twice as many to choose for")
    asked.add_argument(
        "--questions", type=int, default=3, help="under each persona, to generate for; to choose for, 50"
    )
    asked.add_argument("--samples", type=int, default=10)
    asked.add_argument("--length", type=int, default=40, help="most tokens of an answer")
    return asked


def known(kind: str) -> str:
    """A kind of work that there is."""
    if kind not in CONTENDERS:
        raise argparse.ArgumentTypeError(f"there are {', '.join(CONTENDERS)}")
    return kind


def task_of(kind: str, asked: argparse.Namespace) -> Task:
    """What everybody does: the same token ids."""
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("config", [f"model={MODELS[asked.model]}", f"model.dtype={asked.dtype}"])
    cell = Cell(load(cfg, CellConfig))
    model = cell.config.model
    template = load_template(model)
    shared = {
        "kind": kind, "folder": locate(model.path), "dtype": asked.dtype, "pad": template.tokenizer.pad_token_id,
        "stops": sorted(template.stops), "batch": 64,
    }  # fmt: skip
    return shared | {"generate": to_generate, "choices": to_choose, "step": to_learn}[kind](cell, template, asked)


def asked_of(cell: Cell, template: ChatTemplate, personas: int, questions: int) -> list[list[int]]:
    """Held-out questions under personas, as token ids."""
    items = read_pool(cell.config.model.pool, "refusal", "eval")[:questions]
    some = cell.data.personas.members[:: len(cell.data.personas.members) // personas][:personas]
    return template.prompts([Prompt(one.prompt, item.prompt) for one in some for item in items])


def to_generate(cell: Cell, template: ChatTemplate, asked: argparse.Namespace) -> Task:
    """A few questions under each persona, sampled several times."""
    sampling = {"samples": asked.samples, "length": asked.length, "temperature": 1.0, "top_p": 0.95}
    return {"prompts": asked_of(cell, template, asked.personas, asked.questions)} | sampling


def to_choose(cell: Cell, template: ChatTemplate, asked: argparse.Namespace) -> Task:
    """Fifty questions under each persona, and the letters to choose from."""
    letters = [template.tokenizer(letter, add_special_tokens=False)["input_ids"][0] for letter in "ABCD"]
    return {"prompts": asked_of(cell, template, 2 * asked.personas, 50), "choices": letters}


def to_learn(cell: Cell, template: ChatTemplate, _: argparse.Namespace) -> Task:
    """Sixteen examples of a training set, and the published adapter without dropout."""
    every = cell.data.examples
    some = template.examples([(one.prompt, one.answer) for one in every[:: len(every) // 16][:16]])
    lora = cell.config.lora
    adapter = {
        "r": lora.r, "lora_alpha": lora.alpha, "use_rslora": lora.use_rslora, "target_modules": lora.targets,
        "lora_dropout": 0.0, "task_type": "CAUSAL_LM",
    }  # fmt: skip
    return {"examples": [[one.input_ids, one.labels] for one in some], "lora": adapter}


def compare(kind: str, task: Task, repeats: int) -> None:
    """Gates first, then everybody in turns."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        if kind == "generate":
            greedy = task | {"samples": 1, "temperature": 0.0}
            hold("greedy tokens", lambda: together(others(kind, only="padded"), greedy, folder, 0), same_texts)
        everybody = together(others(kind), task, folder, repeats)
        if kind != "generate":
            hold("numbers", lambda: everybody, same_numbers)
        show(kind, task, everybody)


def others(kind: str, only: str = "") -> list[Contender]:
    """Ours, and those that can do this kind of work."""
    peers = [one for one in CONTENDERS[kind] if not only or one[1] == only]
    return [Contender("ours", "ours"), *(Contender(name, module, python) for name, module, python in peers)]


Runs = list[tuple[Contender, list[dict[str, Any]]]]


def together(contenders: Sequence[Contender], task: Task, folder: Path, repeats: int) -> Runs:
    """Every contender's results, one a repeat; they take turns."""
    ready = [one for one in contenders if Path(one.python).exists() and one.start(task, folder)]
    results: list[list[dict[str, Any]]] = [[] for _ in ready]
    for _ in range(repeats):
        for one, its in zip(ready, results, strict=True):
            its.append(one.work())
    for one in ready:
        one.stop()
    return list(zip(ready, results, strict=True))


def hold(what: str, runs: Callable[[], Runs], same: Callable[[dict[str, Any], dict[str, Any]], bool]) -> None:
    """Refuse to time what makes something else than ours does."""
    (ours, _), *peers = runs()
    for peer, _ in peers:
        verdict = "the same" if same(ours.first, peer.first) else "NOT the same"
        print(f"{what} of ours and of {peer.name}: {verdict}")


def same_texts(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether the tokens are the same, all of them."""
    return bool(one["texts"] == other["texts"])


def same_numbers(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether log-probabilities, or loss and length of the gradient, are the same but for rounding."""
    if "loss" in one:
        return all(abs(one[name] - other[name]) <= EXACT * abs(one[name]) for name in ("loss", "gradient"))
    pairs = zip(one["logprobs"], other["logprobs"], strict=True)
    return all(abs(a - b) <= EXACT for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))


def show(kind: str, task: Task, runs: Runs) -> None:
    """A line each: seconds, and how many times as long as ours."""
    units = {"generate": "tokens", "choices": "prompts", "step": "tokens"}[kind]
    fixed = len(task["prompts"]) if kind == "choices" else sum(len(ids) for ids, _ in task.get("examples", []))
    per_unit = {one.name: [run["seconds"] / (run.get("tokens") or fixed) for run in its] for one, its in runs}
    print(f"\n{kind}, {task['dtype']}: least and median of {len(runs[0][1])}")
    for one, its in runs:
        least, middle = min(per_unit[one.name]), median(per_unit[one.name])
        seconds = min(run["seconds"] for run in its)
        times = f"{least / min(per_unit['ours']):5.2f} and {middle / median(per_unit['ours']):5.2f} x ours"
        print(f"  {one.name:20} {seconds:7.2f} s  {1 / least:8.0f} and {1 / middle:6.0f} {units}/s   {times}")


if __name__ == "__main__":
    main()
