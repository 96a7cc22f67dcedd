"""What Inspect's own API reads in a folder of logs, as JSON; run by a Python that has inspect_ai."""

import json
import sys

from inspect_ai.log import list_eval_logs, read_eval_log


def read(folder):
    """From each task to its status, model, mean score and samples."""
    logs = [read_eval_log(info) for info in list_eval_logs(folder)]
    return {log.eval.task: told(log) for log in logs}


def told(log):
    return {
        "status": log.status,
        "model": log.eval.model,
        "mean": log.results.scores[0].metrics["mean"].value,
        "samples": [
            [sample.id, sample.epoch, sample.messages[-1].text, sample.output.completion, sample.scores["judge"].value]
            for sample in log.samples
        ],
    }


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1])))
