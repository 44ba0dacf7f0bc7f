"""Backups of all that the service keeps, and the way back.

Read `inventory.py` for what belongs to a backup, `making.py` for how one is made beside the running
service, and `restoring.py` for how one becomes the service's own state again. A backup is a tar
file (`archive.py`) that ends with its manifest (`manifest.py`); `programs.py` finds PostgreSQL's
own client programs, `place.py` changes old files for new ones, and `settling.py` sees to what has
happened since.
"""
