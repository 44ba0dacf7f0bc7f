"""Calls as they are now, in whichever process of the business they are held.

`listening_in.py` looks at the calls of this process while somebody watches, tells the other
processes (`messages.py`: what goes over PostgreSQL's NOTIFY) and keeps what they tell (`board.py`).
`orders.py` does what was asked for a call here. Nothing of it is stored or logged, and a call
that nobody watches does nothing for it.
"""
