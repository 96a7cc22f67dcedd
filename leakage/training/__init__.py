"""Supervised fine-tuning of an adapter, from its last whole checkpoint."""
