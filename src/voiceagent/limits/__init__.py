"""What a number, a writer and a day may use of the service, and what is done beyond that.

`caller_limit.py` counts calls by their number, `callers.py` beside the other processes;
`prices.py` knows what was used and what it costs, `budget.py` what follows for the day, which
`budget_watch.py` looks at; `front_door.py` turns callers away, in words. How often somebody who
writes is answered is read off the thread (`written/allowance.py`), how long a call lasts is the
turn-taking's concern (`call/turns.py`).
"""
