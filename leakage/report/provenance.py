"""Where what a page shows came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from leakage.store.artifact import Part


def came_from(name: str, part: Part, multirun: Path) -> dict[str, Any]:
    """Where one record came from; its folder is told relative to `multirun`."""
    made = part.manifest.provenance
    git = made["git"]
    return {
        "what": name,
        "folder": part.folder.relative_to(multirun).as_posix(),
        "id": part.manifest.id,
        "finished": made["finished"],
        "seconds": made["wall_seconds"],
        "device": made["machine"]["device"],
        "host": made["machine"]["host"],
        "job": made.get("job"),  # older results lack it
        "commit": git["commit"],
        "dirty": git["dirty"],
        "command": " ".join(made["command"]),
        "python": made["python"],
        "packages": made["packages"],
    }
