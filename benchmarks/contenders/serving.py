"""What every contender does: read the task, warm up, and then do the work once for each line that comes in."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

MARK = "RESULT "  # libraries print what they like besides
Task = dict[str, Any]
Work = Callable[[], dict[str, Any]]


def serve(prepare: Callable[[Task], Work]) -> None:
    """prepare: from the task to the work, which returns what is to be known beside its seconds."""
    work = prepare(json.loads(Path(sys.argv[1]).read_text()))
    _answer(work(), 0.0)  # the warm-up, whose result the gates look at
    for _ in sys.stdin:
        start = perf_counter()
        result = work()
        _answer(result, perf_counter() - start)


def _answer(result: dict[str, Any], seconds: float) -> None:
    print(f"{MARK}{json.dumps(result | {'seconds': seconds})}", flush=True)


def load_model(task: Task) -> Any:
    """The base model by transformers alone, in the task's dtype, ready to be asked."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(task["folder"], dtype=getattr(torch, task["dtype"])).eval()
