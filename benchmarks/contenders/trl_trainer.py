"""Forward and backward of trl's SFTTrainer, without packing, with the loss on the completion alone."""

from tempfile import mkdtemp
from typing import Any

from benchmarks.contenders.ours import adapted, length
from benchmarks.contenders.serving import Task, Work, serve


def prepare(task: Task) -> Work:
    """See serving.serve."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    rows = [{"input_ids": ids, "labels": labels} for ids, labels in task["examples"]]
    trainer = SFTTrainer(
        model=adapted(task), train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(task["folder"]),
        args=SFTConfig(
            output_dir=mkdtemp(), per_device_train_batch_size=len(rows), packing=False, use_cpu=True, bf16=False,
            gradient_checkpointing=False, report_to=[], max_length=None,
        ),
    )  # fmt: skip
    trainer.current_gradient_accumulation_steps = 1  # what its loop would set
    batch = next(iter(trainer.get_train_dataloader()))
    model = trainer.model

    def work() -> dict[str, Any]:
        model.zero_grad()
        loss = trainer.training_step(model, batch)
        return {"loss": float(loss), "gradient": length(model)}

    return work


if __name__ == "__main__":
    serve(prepare)
