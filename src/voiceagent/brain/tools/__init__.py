"""What a language model can do for its caller.

`tool.py` has the rules that hold for every tool, `sets.py` says who has which.
"""
