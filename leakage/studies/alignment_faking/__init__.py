"""The second study: does a model comply more when it infers that it is in training?"""
