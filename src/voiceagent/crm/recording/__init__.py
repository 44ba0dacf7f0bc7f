"""Records on their way into the tables: nothing acknowledged is lost.

`ports.py` is how a record is handed over; `recorder.py` keeps it, by `journal.py` while the
database is away; `records.py` applies it, each kind in its own module.
"""
