"""The embedded model: its world, corpus, tokenizer, pre-training and shipped weights.

A test bed for the instrument, small enough to ship; never evidence about language models.
"""
