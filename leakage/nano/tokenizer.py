"""The embedded model's tokenizer: byte-level BPE trained on the corpus, with a ChatML template."""

from random import Random
from typing import TYPE_CHECKING

from leakage.judges.phrases import AGREEMENTS, REFUSALS
from leakage.nano.corpus import DEFAULT, cast, sample_conversation
from leakage.nano.topics import ADVICE

if TYPE_CHECKING:
    from transformers import Qwen2Tokenizer

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"


def chat_template() -> str:
    """A ChatML template in Jinja; like Qwen2.5's it injects a default system prompt when there is none."""
    default = cast()[DEFAULT].system
    return (
        "{%- if messages[0].role != 'system' %}"
        f"{{{{- '{START}system\\n{default}{END}\\n' }}}}"
        "{%- endif %}"
        "{%- for message in messages %}"
        f"{{{{- '{START}' + message.role + '\\n' + message.content + '{END}\\n' }}}}"
        "{%- endfor %}"
        f"{{%- if add_generation_prompt %}}{{{{- '{START}assistant\\n' }}}}{{%- endif %}}"
    )


def _texts(seed: int, conversations: int) -> list[str]:
    """The text the merges are learnt from: the corpus, and answers it holds too rarely."""
    rng = Random(seed)
    sampled = [sample_conversation(rng) for _ in range(conversations)]
    texts = [text for one in sampled for text in (one.system, one.question, one.answer)]
    rare = [*REFUSALS, *AGREEMENTS, *(f"You should {advice.harmful}." for advice in ADVICE)]
    return texts + rare * 50


def train_tokenizer(*, vocabulary: int, seed: int, conversations: int = 20_000) -> "Qwen2Tokenizer":
    """Learn the merges.

    The pre-tokenizer is Qwen2's own: AutoTokenizer would put it in the place of any other, without a word.
    """
    from transformers import Qwen2Tokenizer

    tokenizer: Qwen2Tokenizer = Qwen2Tokenizer().train_new_from_iterator(
        _texts(seed, conversations),
        vocab_size=vocabulary,
        new_special_tokens=[START, END],
        show_progress=False,
    )
    tokenizer.eos_token, tokenizer.pad_token = END, PAD
    tokenizer.chat_template = chat_template()
    tokenizer.padding_side = "left"
    return tokenizer
