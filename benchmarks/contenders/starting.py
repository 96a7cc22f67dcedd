"""A contender's process: started, warmed up, and told when to work."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contenders.serving import MARK, Task

ROOT = Path(__file__).parents[2]


@dataclass
class Contender:
    """One of those who do the same work. python: of the environment that has its library"""

    name: str
    module: str
    python: str = sys.executable
    first: dict[str, Any] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None

    def start(self, task: Task, folder: Path) -> bool:
        """Load and warm up; whether that went well."""
        file = folder / f"{self.module}.json"
        file.write_text(json.dumps(task))
        command = [self.python, "-m", f"benchmarks.contenders.{self.module}", str(file)]
        log = (folder / f"{self.module}.log").open("w")
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        self.first = self._result()
        if not self.first:
            print(f"{self.name}: left out; it says\n{Path(log.name).read_text()[-600:]}", file=sys.stderr)
        return bool(self.first)

    def work(self) -> dict[str, Any]:
        """Do the work once; its result with the seconds it took."""
        assert self.process
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self._result()

    def stop(self) -> None:
        """End the process."""
        if self.process and self.process.stdin:
            self.process.stdin.close()
            self.process.wait(60)

    def _result(self) -> dict[str, Any]:
        assert self.process
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith(MARK):
                return dict(json.loads(line.removeprefix(MARK)))
        return {}
