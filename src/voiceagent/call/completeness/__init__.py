"""Whether what a caller has said so far reads as finished. It begins in `rule.py`."""
