"""The words of a call's page, in Hebrew and in English."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voiceagent.turn_picture.blocks import PictureWords
from voiceagent.twilio.twiml import (
    ANSWERING_MACHINE_PATH,
    CALL_STATUS_PATH,
    INCOMING_CALL_PATH,
    MEDIA_PATH,
    STREAM_ENDED_PATH,
    STREAM_STATUS_PATH,
    TRANSFER_ENDED_PATH,
)


@dataclass(frozen=True, slots=True)
class CallTexts:
    """Of one language."""

    one: str
    """The title of a call's page."""
    to_list: str
    to_thread: str
    number: str
    when: str
    length: str
    ending: str
    going_on: str
    summary: str
    came_of: str
    learnt: str

    voicemail: str
    """Heading of a message that was left because the service was away."""
    recording: str
    recording_hint: str
    play_from: str
    """With `{time}`."""

    picture: str
    picture_about: str
    """With `{length}`, `{turns}`, `{answers}` and `{interruptions}`."""
    picture_times: str
    """With `{median}` and `{slowest}`."""
    picture_hint: str
    picture_none: str
    picture_cut: str
    picture_words: PictureWords
    legend: Mapping[str, str]
    as_table: str
    columns: Mapping[str, str]

    transcript: str
    transcript_hint: str
    transcript_none: str
    caller: str
    agent: str
    keyed: str
    sources: Mapping[str, str]
    """Of what the agent says unasked."""
    statuses: Mapping[str, str]
    unheard: str
    all_unheard: str
    waited: str
    """With `{value}`, as the next."""
    response: str
    resumed: str

    timings: str
    timings_lead: str
    timings_summary: str
    """With `{count}`, `{median}` and `{slowest}`."""
    timings_none: str
    slowest: str
    slowest_is: str
    """With `{value}` and `{time}`."""
    fine: str
    ways: Mapping[str, str]
    because: Mapping[str, str]
    """Why an answer was slow, by what took most of its way; with `{value}`."""
    total: str
    seconds: str
    """With `{value}`."""

    records: str
    records_lead: str
    records_none: str
    record_columns: Mapping[str, str]
    routes: Mapping[str, str]
    events: Mapping[str, str]
    log_words: str
    counters: str


CALL_HE: Final = CallTexts(
    one="שיחת טלפון",
    to_list="לכל השיחות",
    to_thread="לשיחה המלאה עם האדם",
    number="מספר",
    when="מתי",
    length="משך",
    ending="סיום",
    going_on="השיחה נמשכת עכשיו",
    summary="סיכום",
    came_of="מה יצא מהשיחה",
    learnt="פרטים שנמסרו",
    voicemail="הודעה שהושארה",
    recording="הקלטה",
    recording_hint="לחיצה על שעה בתמליל או בתמונה מנגנת משם.",
    play_from="לנגן מ-{time}",
    picture="תמונת השיחה",
    picture_about="שיחה של {length}, {turns} אמירות, {answers} תשובות, {interruptions} הפרעות.",
    picture_times="התשובה החציונית באה אחרי {median}, האיטית ביותר אחרי {slowest}.",
    picture_hint=(
        "הזמן רץ משמאל לימין, כמו בשעון: המתקשר למעלה, הסוכן למטה. המספרים הם מספרי האמירות בתמליל."
    ),
    picture_none="אין כאן תמונה, כי לא נאמר דבר שזמנו ידוע.",
    picture_cut="בתמונה השעה הראשונה בלבד. כל השאר נמצא בתמליל.",
    picture_words=PictureWords(
        caller="המתקשר",
        agent="הסוכן",
        ms="{ms} ms",
        eou="סוף דברי המתקשר נקבע אחרי {ms} מ״ש",
        first_words="המילים הראשונות של התשובה אחרי {ms} מ״ש",
        first_audio="הצליל הראשון של התשובה היה מוכן אחרי {ms} מ״ש",
        stopped="הסוכן השתתק אחרי {ms} מ״ש",
    ),
    legend={
        "caller": "המתקשר מדבר",
        "keys": "הקשה על מקשים",
        "aside": "קול שאינו אמירה: ״כן, כן״, שיעול, רעש",
        "agent": "הסוכן נשמע",
        "wait": "מסוף הדברים עד התשובה (אלפיות שנייה)",
        "eou": "נקבע שהמתקשר סיים",
        "token": "המילים הראשונות של התשובה",
        "first": "הצליל הראשון מוכן",
        "stop": "הסוכן נקטע",
        "resume": "הסוכן ממשיך",
    },
    as_table="אותו דבר כטבלה",
    columns={
        "turn": "אמירה",
        "who": "מי",
        "from": "מ-",
        "to": "עד",
        "fixed": "נקבע שסיים",
        "words": "מילים ראשונות",
        "sound": "צליל ראשון",
        "stopped": "נקטע",
        "resumed": "המשיך",
    },
    transcript="תמליל",
    transcript_hint="מה שנאמר, ומה שבאמת נשמע: מילים שנמחקו בקו לא הגיעו לאוזני המתקשר.",
    transcript_none="לא נאמר דבר.",
    caller="המתקשר",
    agent="הסוכן",
    keyed="הוקש",
    sources={
        "opening": "פתיחה",
        "reprompt": "שאלה חוזרת",
        "nearly_over": "הזמן עומד להסתיים",
        "apology": "התנצלות על תקלה",
        "cannot_hear": "לא שומעים",
        "goodbye": "פרידה",
    },
    statuses={"speaking": "מדבר", "interrupted": "נקטע", "abandoned": "לא נאמר עד הסוף"},
    unheard="לא נשמע:",
    all_unheard="לא נשמע ממנו דבר:",
    waited="שקט של {value} עד שנקבע שסיים",
    response="ענה אחרי {value}",
    resumed="נעצר לרגע בגלל קול, והמשיך",
    timings="כמה זמן לקחה כל תשובה",
    timings_lead="מהצליל האחרון של המתקשר ועד הצליל הראשון של הסוכן, ועל מה עבר הזמן.",
    timings_summary="{count} תשובות · חציון {median} · האיטית ביותר {slowest}",
    timings_none="לא הייתה תשובה שאפשר למדוד.",
    slowest="האיטית ביותר",
    slowest_is="התשובה האיטית ביותר באה אחרי {value}, בדקה {time}.",
    fine="כל התשובות באו מהר, כמו בשיחה בין אנשים.",
    ways={"wait": "המתנה", "think": "מחשבה", "voice": "קול", "send": "שליחה"},
    because={
        "wait": (
            "רוב הזמן ({value}) הסוכן חיכה כדי לוודא שהמתקשר סיים לדבר. יותר משש עשיריות השנייה "
            "פירושן שגם המילים הגיעו לאט מזיהוי הדיבור."
        ),
        "think": (
            "רוב הזמן ({value}) עבר על חשיבה. מודל שפה מהיר יותר או הנחיות קצרות יותר יקצרו אותו."
        ),
        "voice": "רוב הזמן ({value}) עבר על הפקת הקול: מנוע הדיבור התחיל לאט.",
        "send": "רוב הזמן ({value}) הקול כבר היה מוכן וחיכה לשליחה: המחשב היה עמוס.",
    },
    total="סך הכול",
    seconds="{value} שנ׳",
    records="מה ענה השירות",
    records_lead="כל פנייה של Twilio בשיחה הזאת ומה נענתה, ומה קרה לחיבור הקול. לבירור תקלות.",
    records_none="לא נרשמו פניות.",
    record_columns={"time": "שעה", "what": "מה קרה", "status": "קוד", "detail": "פרטים"},
    routes={
        INCOMING_CALL_PATH: "Twilio הודיעה על השיחה",
        STREAM_STATUS_PATH: "הודעה על חיבור הקול",
        STREAM_ENDED_PATH: "Twilio הודיעה שהקול הסתיים",
        TRANSFER_ENDED_PATH: "ההעברה לאדם הסתיימה",
        ANSWERING_MACHINE_PATH: "האם ענה משיבון",
        CALL_STATUS_PATH: "מצב השיחה היוצאת",
        MEDIA_PATH: "חיבור הקול",
    },
    events={
        "stream-started": "הקול התחבר",
        "stream-stopped": "הקול נעצר",
        "stream-error": "תקלה בקול",
    },
    log_words="מילות היומן של השיחה",
    counters="מוני השיחה",
)

CALL_EN: Final = CallTexts(
    one="Call",
    to_list="All calls",
    to_thread="The whole conversation with this person",
    number="Number",
    when="When",
    length="Length",
    ending="Ending",
    going_on="The call is going on now",
    summary="Summary",
    came_of="What came of it",
    learnt="What was told",
    voicemail="Message left",
    recording="Recording",
    recording_hint="A click on a time in the transcript, or into the picture, plays from there.",
    play_from="Play from {time}",
    picture="The picture of the call",
    picture_about="A call of {length}, {turns} turns, {answers} answers, {interruptions}"
    " interruptions.",
    picture_times="The median answer came after {median}, the slowest after {slowest}.",
    picture_hint="Time runs from left to right, as on a clock: the caller above, the agent below."
    " The numbers are those of the turns in the transcript.",
    picture_none="There is no picture, since nothing was said whose time is known.",
    picture_cut="The picture has the first hour only. The rest is in the transcript.",
    picture_words=PictureWords(
        caller="caller",
        agent="agent",
        ms="{ms} ms",
        eou="it was settled after {ms} ms that the caller had finished",
        first_words="the first words of the answer were there after {ms} ms",
        first_audio="the first sound of the answer was ready after {ms} ms",
        stopped="the agent fell silent after {ms} ms",
    ),
    legend={
        "caller": "Caller speaks",
        "keys": "Keys were pressed",
        "aside": "A voice that was no turn: “yes, yes”, a cough, noise",
        "agent": "Agent is heard",
        "wait": "From the end of speech to the answer (thousandths of a second)",
        "eou": "Settled that the caller has finished",
        "token": "First words of the answer",
        "first": "First sound is ready",
        "stop": "Agent was interrupted",
        "resume": "Agent goes on",
    },
    as_table="The same as a table",
    columns={
        "turn": "Turn",
        "who": "Who",
        "from": "From",
        "to": "To",
        "fixed": "Settled",
        "words": "First words",
        "sound": "First sound",
        "stopped": "Stopped",
        "resumed": "Went on",
    },
    transcript="Transcript",
    transcript_hint="What was said, and what was really heard: words that are struck out never"
    " reached the caller's ear.",
    transcript_none="Nothing was said.",
    caller="Caller",
    agent="Agent",
    keyed="keys",
    sources={
        "opening": "greeting",
        "reprompt": "asked again",
        "nearly_over": "time nearly over",
        "apology": "apology for a fault",
        "cannot_hear": "nobody can hear",
        "goodbye": "goodbye",
    },
    statuses={
        "speaking": "speaking",
        "interrupted": "interrupted",
        "abandoned": "not said to the end",
    },
    unheard="Not heard:",
    all_unheard="None of it was heard:",
    waited="{value} of silence until it was settled",
    response="answered after {value}",
    resumed="stopped for a moment at a sound, then went on",
    timings="How long each answer took",
    timings_lead="From the caller's last sound to the agent's first, and what the time went on.",
    timings_summary="{count} answers · median {median} · slowest {slowest}",
    timings_none="There was no answer that could be measured.",
    slowest="slowest",
    slowest_is="The slowest answer came after {value}, at {time}.",
    fine="All answers came quickly, as between people.",
    ways={"wait": "waiting", "think": "thinking", "voice": "voice", "send": "sending"},
    because={
        "wait": "Most of it ({value}) the agent waited to be sure that the caller had finished."
        " More than six tenths of a second means that the words came late from speech recognition,"
        " too.",
        "think": "Most of it ({value}) went on thinking. A quicker language model or a shorter"
        " prompt makes it shorter.",
        "voice": "Most of it ({value}) went on making the voice: the speech engine was slow to"
        " begin.",
        "send": "Most of it ({value}) the sound was ready and waited to be sent: the machine was"
        " busy.",
    },
    total="in all",
    seconds="{value} s",
    records="What the service answered",
    records_lead="Each request of Twilio's in this call and its answer, and what happened to the"
    " sound's connection. For looking into faults.",
    records_none="No request was recorded.",
    record_columns={"time": "Time", "what": "What happened", "status": "Code", "detail": "Details"},
    routes={
        INCOMING_CALL_PATH: "Twilio told of the call",
        STREAM_STATUS_PATH: "News of the sound's connection",
        STREAM_ENDED_PATH: "Twilio told that the sound has ended",
        TRANSFER_ENDED_PATH: "The transfer to a person has ended",
        ANSWERING_MACHINE_PATH: "Whether a machine answered",
        CALL_STATUS_PATH: "State of the outgoing call",
        MEDIA_PATH: "The sound's connection",
    },
    events={
        "stream-started": "Sound connected",
        "stream-stopped": "Sound stopped",
        "stream-error": "A fault in the sound",
    },
    log_words="Log words of the call",
    counters="Counters of the call",
)
