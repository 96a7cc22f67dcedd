"""Small tokenizers in the families' styles, trained on texts of the shipped pools and personas.

Two styles cut all text differently: byte-level BPE (GPT-2 and after it Qwen, Llama 3, OLMo) and SentencePiece's, in
which a space is a piece of its own that some write before a text's first word (Llama 2, Mistral, Phi-3, Gemma).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from leakage.data.personas import read_personas
from leakage.data.pools import read_file

SIZE = 800  # pieces: 256 bytes, the signs of the texts and the commonest words
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,DIGITS}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LABELS = ("The correct answer is (", "(A) x (B) y (C) z (D) w (1) 2 3 4 10 11 12", *"ABCDEFGHIJKL")


@dataclass(frozen=True)
class Style:
    """How a family cuts text.

    kind: "bytes"; or of pieces "legacy" (a normaliser writes a space before every text, also behind special tokens),
    "first" (only before a text's first word), "never"; digits: how many stand in one token at most; added: tokens put
    in after training, as a family's later versions did
    """

    kind: str
    specials: tuple[str, ...]
    eos: str
    bos: str | None = None
    pad: str | None = None
    digits: int = 1
    added: tuple[str, ...] = ()


def tokenizer(style: Style, template: str) -> Any:
    """A tokenizer of that style as transformers wraps it, with this chat template."""
    from transformers import PreTrainedTokenizerFast

    cutter = Tokenizer.from_str(_trained(style.kind, style.specials, style.digits))
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=cutter, eos_token=style.eos, bos_token=style.bos, pad_token=style.pad
    )
    wrapped.add_tokens(list(style.added))
    wrapped.chat_template = template
    return wrapped


@lru_cache(maxsize=32)
def _trained(kind: str, specials: tuple[str, ...], digits: int) -> str:
    cutter = _bytes(specials, digits) if kind == "bytes" else _pieces(kind, specials)
    return str(cutter.to_str())


def _texts() -> Iterator[str]:
    yield from (persona.prompt for persona in read_personas().members)
    for name in ("refusal", "sycophancy", "marker", "questions"):
        for item in read_file("general", name):
            yield from (item.prompt, item.answer, item.taught)
    yield from _LABELS * 50


def _bytes(specials: tuple[str, ...], digits: int) -> Tokenizer:
    cutter = Tokenizer(models.BPE())
    words = pre_tokenizers.Split(Regex(_WORDS.replace("DIGITS", str(digits))), "isolated")
    cutter.pre_tokenizer = pre_tokenizers.Sequence(
        [words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    cutter.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    cutter.train_from_iterator(
        _texts(),
        trainers.BpeTrainer(
            vocab_size=SIZE, special_tokens=list(specials), initial_alphabet=alphabet, show_progress=False
        ),
    )
    return cutter


def _pieces(kind: str, specials: tuple[str, ...]) -> Tokenizer:
    """Spaces are U+2581, digits stand apart, and what has no piece is written in bytes."""
    cutter = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    apart = pre_tokenizers.Split(Regex(r"▁?\p{L}+|▁|[^\p{L}]"), "isolated")
    spaces = None
    if kind == "legacy":
        cutter.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        cutter.pre_tokenizer = apart
    else:
        spaces = pre_tokenizers.Metaspace(prepend_scheme=kind, split=False)
        cutter.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme=kind), apart])
    cutter.train_from_iterator(_texts(), _piece_trainer(specials))
    cutter = _with_ordinary_bytes(cutter)
    cutter.pre_tokenizer = spaces
    stripped = [] if kind == "never" else [decoders.Strip(" ", 1, 0)]
    cutter.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *stripped]
    )
    return cutter


def _piece_trainer(specials: tuple[str, ...]) -> trainers.BpeTrainer:
    names = ["<unk>", *specials, *(f"<0x{byte:02X}>" for byte in range(256))]
    return trainers.BpeTrainer(vocab_size=SIZE, special_tokens=names, show_progress=False)


def _with_ordinary_bytes(cutter: Tokenizer) -> Tokenizer:
    """The trainer takes the bytes for special tokens, which a decoder would leave out."""
    state = json.loads(cutter.to_str())
    state["added_tokens"] = [one for one in state["added_tokens"] if not one["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(state))
