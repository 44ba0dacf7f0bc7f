"""Recordings of calls: from the frames of a call to a file, and from there to the database.

`tape.py` takes a call's frames without making it wait, `studio.py` writes them on a thread of
its own, `two_voices.py` says what lies beside what, `waiting.py` is the folder of the files,
and `keeper.py` carries those whose call is over into the database (`crm/calls/recordings.py`).
(`crm/recording/` is about the records of calls, not about their sound.)
"""
