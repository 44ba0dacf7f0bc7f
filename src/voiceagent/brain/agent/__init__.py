"""An agent as its business describes it: what it says, asks and offers, and when it is open.

`file.py` reads it, `profile.py` is what comes of it; `bundled/` has the agents that come along.
"""
