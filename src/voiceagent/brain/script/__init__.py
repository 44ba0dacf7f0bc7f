"""The brain that goes through an agent's questions: pure, and always there.

`brain.py` is the machine and its dialogue; `listening.py` hears the answer to one question.
"""
