"""Models on the hub: which of their files are in its cache, and whether the hub can be asked for the others."""

from pathlib import Path

from leakage.errors import ModelError
from leakage.models.wheels import mend_for

TIMEOUT_S = 10.0
WHOLE = ("model.safetensors.index.json", "model.safetensors")  # one of them is there where weights are


def cached(hub_id: str, name: str, revision: str | None) -> Path | None:
    """A file of a model in the hub's cache; None where it is not there."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(hub_id, name, revision=revision)
    return Path(path) if isinstance(path, str) else None


def has_weights(hub_id: str, revision: str | None) -> bool:
    """Whether a model's weights are in the hub's cache."""
    return any(cached(hub_id, name, revision) for name in WHOLE)


def refuse_unreachable(hub_id: str, revision: str | None) -> None:
    """An error where the hub does not answer, or has no such model: asked once, a download would try for minutes."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(hub_id, revision=revision, timeout=TIMEOUT_S)
    except Exception as error:  # offline, unknown, gated: each its own kind
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{hub_id} is not in the hub's cache and cannot be fetched ({cause}); give model.path a folder "
            f"with a copy, or {mend_for(hub_id) or 'fetch it where there is internet'}"
        ) from error
