"""What every judge is: a name, an identity and a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from leakage.store.files import as_folder, digest


class Reader(Protocol):
    """Whoever reads what a model said: who it is, and where its verdicts lie."""

    @property
    def name(self) -> str:
        """How tables call the judge: rules, or a model's id."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that can change a verdict, what is read apart."""
        ...

    @property
    def folder(self) -> str:
        """Name of the folder of its verdicts below what it reads."""
        ...

    def lacks(self) -> str:
        """What is missing for the judge to be asked, known beforehand; empty when nothing is."""
        ...


@dataclass(frozen=True)
class Named:
    """A judge's name and identity, and the folder that follows from them."""

    name: str
    identity: dict[str, Any]

    @property
    def folder(self) -> str:
        """As Reader.folder."""
        return f"{as_folder(self.name)}-{digest(self.identity)[:8]}"

    def lacks(self) -> str:
        """As Reader.lacks: rules need nothing."""
        return ""

    def usd_each(self) -> float:
        """What a verdict costs in US dollars: rules are free."""
        return 0.0

    def can_read(self, file: Path) -> bool:
        """Whether a file can be read without asking anybody: rules need only the file."""
        return file.is_file()
