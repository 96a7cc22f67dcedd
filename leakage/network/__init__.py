"""The network: questions to models behind APIs. Every answer is kept the moment it arrives; no other room asks."""

from leakage.network.access import lacks
from leakage.network.asks import Answer, Ask, estimate_usd, mean_usd, most_usd, stored_answers
from leakage.network.client import ask_all, replies_of, sent_with
from leakage.network.reply import address_identity, fields_identity, judge_identity

__all__ = [
    "Answer", "Ask", "address_identity", "ask_all", "estimate_usd", "fields_identity", "judge_identity", "lacks",
    "mean_usd", "most_usd", "replies_of", "sent_with", "stored_answers",
]  # fmt: skip
