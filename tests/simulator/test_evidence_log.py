from voiceagent.simulator.evidence_log import LogWord, faults_of_order, words_of

LOG = """\
ts=1 level=info WS_START call_sid=CA1 stream_sid=MZ1
ts=2 level=info WS_START call_sid=CA12 stream_sid=MZ2
ts=3 level=info STT_FINAL call_sid=CA1 turn=1 source=final
ts=4 level=info EoU_ms=320 call_sid=CA1 turn=1
ts=5 level=info msg="no WS_STOP here" call_sid=CA1
ts=6 level=info TTS_LEN_ms=1500 call_sid=CA1 turn=1
ts=7 level=info MEDIA_TX=75 call_sid=CA1 turn=1
ts=8 level=info msg="call_sid=CA1 WS_STOP"
ts=9 level=info WS_STOP call_sid=CA1
""".splitlines()


def test_words_of_one_call_are_read_with_value_and_turn() -> None:
    words = words_of(LOG, "CA1")
    assert [word.name for word in words] == [
        "WS_START",
        "STT_FINAL",
        "EoU_ms",
        "TTS_LEN_ms",
        "MEDIA_TX",
        "WS_STOP",
    ]
    assert words[2] == LogWord("EoU_ms", "320", 1)


def test_the_order_of_the_contract_is_fault_free() -> None:
    assert faults_of_order(words_of(LOG, "CA1"), [1]) == []


def test_a_missing_word_is_told() -> None:
    words = [word for word in words_of(LOG, "CA1") if word.name != "TTS_LEN_ms"]
    assert faults_of_order(words, [1]) == ["turn 1 has no TTS_LEN_ms"]


def test_a_wrong_order_is_told() -> None:
    words = words_of(LOG, "CA1")
    words[1], words[2] = words[2], words[1]
    assert faults_of_order(words, [1]) == ["turn 1: EoU_ms → STT_FINAL → TTS_LEN_ms → MEDIA_TX"]


def test_no_log_at_all_is_told() -> None:
    assert faults_of_order([], []) == [
        "WS_START is not the first word",
        "WS_STOP is not the last word",
    ]
