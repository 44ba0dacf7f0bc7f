"""How the service is seen from outside: Prometheus text, and traces of calls.

`exposition.py` makes the text, `siblings.py` adds what other workers have counted; `measured.py`
times engines behind their ports; `call_trace.py` makes spans of a call's records, `otlp.py`
encodes them and `trace_export.py` hands them over.
"""
