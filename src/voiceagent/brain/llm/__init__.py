"""The brain that thinks: a language model that talks and acts.

`brain.py` remembers, `reply.py` makes one answer; `openai_chat.py` is the adapter behind
`brain/chat.py`, with `openai_chunks.py` and `openai_faults.py`.
"""
