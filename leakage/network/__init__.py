"""The network: questions to models behind APIs. Every answer is kept the moment it arrives; no other room asks."""

from leakage.network.asks import Answer, Ask, estimate_usd, mean_usd, most_usd, stored_answers
from leakage.network.client import ask_all
from leakage.network.provider import lacks

__all__ = ["Answer", "Ask", "ask_all", "estimate_usd", "lacks", "mean_usd", "most_usd", "stored_answers"]
