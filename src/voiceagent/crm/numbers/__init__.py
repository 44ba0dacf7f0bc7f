"""How it goes, in numbers: the records of all processes, added up and read by the day.

`tally.py` counts every quarter of an hour in the background; `figures.py` reads a period of
`periods.py` from that and what is waiting right now, as `views.py` has it; `response_times.py`
knows how long replies took from how many took how long.
"""
