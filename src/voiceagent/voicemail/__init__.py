"""What happened at Twilio while this service was away: calls that it never heard of, and messages
that were spoken to the fallback of its numbers.

`call_log.py` reads Twilio's lists, `sweep.py` finds out what is not known here and has it kept.
The sound is fetched with the files of messages (`whatsapp/media.py`), the owner is told with the
call's summary (`aftercall/`).
"""
