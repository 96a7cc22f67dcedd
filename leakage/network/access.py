"""Whether a model may be asked: its key, its address, its price."""

import os
import re
from importlib.util import find_spec
from textwrap import shorten
from typing import TYPE_CHECKING

from leakage.errors import ConfigError, JudgeError

if TYPE_CHECKING:
    from leakage.settings.config import ApiSettings

SDKS = {"anthropic": "leakage", "openai": "leakage[openai]"}  # each with what installs it
ADDRESSES = {"anthropic": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}  # variables that the SDKs read


def lacks(settings: "ApiSettings") -> str:
    """What is missing for a model to be asked, known beforehand; empty when nothing is."""
    if fault := _key_fault(settings):
        return fault
    if find_spec(settings.provider) is None:
        return _no_sdk(settings)
    if fault := price_fault(settings):
        return fault
    free = not (settings.usd_input or settings.usd_output)
    return "" if settings.max_usd or free else f"{settings.group}.max_usd=0 allows no question"


def price_fault(settings: "ApiSettings") -> str:
    """Why the price cannot be right: only what runs on this machine is free."""
    if on_loopback(settings) or (settings.usd_input and settings.usd_output):
        return ""
    group = settings.group
    return (
        f"{group}.model={settings.model} has no price, and only a server on this machine is free; give it in US "
        f"dollars for a million tokens: {group}.usd_input=… {group}.usd_output=…"
    )


def api_key(settings: "ApiSettings") -> str:
    """The key, ready to be sent; a server on this machine takes any."""
    if find_spec(settings.provider) is None:
        raise ConfigError(_no_sdk(settings))
    if fault := _key_fault(settings):
        raise JudgeError(f"{settings.model} cannot be asked: {fault}; export your key")
    return _key(settings) or "none"


def _no_sdk(settings: "ApiSettings") -> str:
    package = settings.provider
    return f"{settings.group}.provider={package}: the package {package} is missing, pip install '{SDKS[package]}'"


def _key_fault(settings: "ApiSettings") -> str:
    """What is wrong with the key; the key itself is never told."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", settings.key):  # may be the key, pasted
        name = f"{settings.group}.key"
        return f"{name} is to be the name of an environment variable, in capitals, that holds the key"
    key = _key(settings)
    if not key:
        return "" if _is_loopback(settings.base_url) else f"{settings.key} is not set"
    # anything else would stand, with the key, in the HTTP library's error
    return "" if re.fullmatch("[!-~]+", key) else f"{settings.key} holds a blank or a letter that no key has"


def _key(settings: "ApiSettings") -> str:
    return os.environ.get(settings.key, "").strip()


def on_loopback(settings: "ApiSettings") -> bool:
    """Whether the API is a server on this machine."""
    return _is_loopback(where(settings))


def _is_loopback(url: str | None) -> bool:
    return bool(re.match(r"https?://(localhost|127(\.\d+){3}|\[::1\])([:/]|$)", url or ""))


def where(settings: "ApiSettings") -> str | None:
    """The API's address: of the settings, or of the variable that its SDK reads; None = the provider's own."""
    return settings.base_url or os.environ.get(ADDRESSES[settings.provider]) or None


def address(settings: "ApiSettings") -> str | None:
    """What the SDK is given as address; None = it looks for itself."""
    url = settings.base_url
    if url is not None and not re.fullmatch(r"https?://([\w.-]+|\[[\da-f:]+\])(:\d{1,5})?(/\S*)?", url):
        raise ConfigError(f"{settings.group}.base_url={url} is no address; write one like http://localhost:8000/v1")
    return url


def without_key(words: str, settings: "ApiSettings") -> str:
    """Words of an API, shortened; the key never gets out."""
    key = _key(settings)
    return shorten(words.replace(key, "[key]") if key else words, 160)
