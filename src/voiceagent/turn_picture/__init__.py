"""The picture of a call's turns: `blocks.py` tells what is in it, `strips.py` draws it.

Shown in the demonstration's file (`simulator/picture_file.py`) and on a call's page
(`web/console/call_picture.py`); each has its own colours.
"""
