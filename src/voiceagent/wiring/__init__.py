"""Parts are put together here, each from the settings; nothing else knows the adapters.

`business.py` joins the offices, `engines.py` and `brains.py` choose ears, voice and brain;
`app.py` above makes one service of it.
"""
