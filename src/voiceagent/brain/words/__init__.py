"""What a caller's words mean, by lists of words: pure, and no dialogue is known here.

`utterance.py` makes words of a text; `answers.py` and `asides.py` say what they mean.
"""
