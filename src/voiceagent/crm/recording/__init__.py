"""Records on their way into the tables: nothing acknowledged is lost.

`ports.py` is how a record is handed over; `recorder.py` keeps it: in memory by `record_queue.py`,
in the database by `record_writer.py` and, while `database_watch.py` knows that away, in
`journal.py` by `recorder_disk.py`, from where `replay.py` brings it. `records.py` applies it, each
kind in its own module.
"""
