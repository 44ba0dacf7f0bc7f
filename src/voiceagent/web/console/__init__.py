"""`/console`: the pages for people, made on the server and useful before any script runs.

`pages.py` makes an answer out of a template; `door.py` lets in whoever has signed in, by the
tokens of `sessions.py`; `texts.py` has every word in Hebrew and in English. A page is a module
with one function that gives its router: its routes are made with `pages.router(…)`, so that
errors are pages as well and each answer carries the policy; they take
`Annotated[Session, Depends(door.signed_in)]`, or `Annotated[Posted, Depends(door.posted)]`
where something is changed. `events.py` tells browsers what has changed; `static/live.js` then
fetches the page again and puts in what differs. `router.py` puts the pages together.
"""
