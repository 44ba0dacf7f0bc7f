"""The words of the numbers page, in Hebrew and in English.

Each figure has a sentence that says what it is, and one that says what to do when it is bad.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voiceagent.crm.numbers.periods import PeriodName
from voiceagent.crm.recording.engine_failures import Engine


@dataclass(frozen=True, slots=True)
class FigureTexts:
    """Of one figure."""

    name: str
    meaning: str
    advice: str
    """What is to be typed or read as it stands is between backticks."""
    more: str = ""
    """A second value, in its own braces."""


@dataclass(frozen=True, slots=True)
class NumbersTexts:
    """Of one language."""

    title: str
    lead: str
    periods_label: str
    periods: Mapping[PeriodName, str]
    before: Mapping[PeriodName, str]
    """With `{value}`."""
    points: str
    """Behind a change of a share: percentage points."""
    counted: str
    """With `{time}`."""
    counting: str
    stopped: str
    """With `{time}`."""
    nothing: str
    nothing_hint: str
    nothing_list: tuple[str, ...]
    phone: str
    whatsapp: str
    business: str
    good: str
    warn: str
    bad: str
    what_to_do: str
    none: str
    """Instead of a value that there is not."""
    seconds: str
    """With `{value}`."""
    calls: FigureTexts
    answered: FigureTexts
    response: FigureTexts
    barge_ins: FigureTexts
    guesses: FigureTexts
    failures: FigureTexts
    messages_in: FigureTexts
    messages_out: FigureTexts
    queued: FigureTexts
    failed: FigureTexts
    callbacks: FigureTexts
    notices: FigureTexts
    payments: FigureTexts
    costs: FigureTexts
    cost_parts: Mapping[str, str]
    """By the names of `Costs.parts`."""
    engines: Mapping[Engine, str]
    as_table: str
    hour_chart: str
    hour_chart_mean: str
    day_chart: str
    response_chart: str
    message_chart: str
    chart_about: str
    """What a picture of time is, with `{first}`, `{last}`, `{most}`, `{at}`."""
    response_about: str
    """With `{p50}` and `{p95}`."""
    no_calls: str
    no_responses: str
    no_messages: str
    hour: str
    day: str
    came: str
    of_answered: str
    of_missed: str
    half: str
    most: str
    received: str
    sent: str
    weekdays: tuple[str, ...]
    """Short, from Monday."""


NUMBERS_HE: Final = NumbersTexts(
    title="מספרים",
    lead="איך הולך לעסק בטלפון ובוואטסאפ, ומה לעשות כשמשהו לא בסדר. שיחות ניסיון אינן נספרות.",
    periods_label="תקופה",
    periods={"today": "היום", "week": "7 ימים", "month": "30 ימים"},
    before={
        "today": "אתמול עד שעה זו: {value}",
        "week": "בשבוע שלפני: {value}",
        "month": "ב־30 הימים שלפני: {value}",
    },
    points="נק׳",
    counted="נספר עד {time}",
    counting="המספרים נספרים עכשיו בפעם הראשונה ויופיעו בתוך דקה או שתיים.",
    stopped=(
        "הספירה נעצרה: מה שכאן נכון לשעה {time}. בדקו את מסד הנתונים: `script/voiceagent doctor`"
    ),
    nothing="עדיין אין מספרים",
    nothing_hint="אחרי השיחה או ההודעה הראשונה יופיעו כאן, מעצמם:",
    nothing_list=(
        "כמה התקשרו, באילו שעות, ועל כמה שיחות ענינו",
        "כמה זמן חיכו לתשובה, כמה פעמים קטעו את הסוכן, ואילו מנועים כשלו",
        "הודעות וואטסאפ שנכנסו, יצאו, ממתינות או נכשלו",
        "מי ביקש שיחזרו אליו, ותשלומים שהתבקשו ושולמו",
    ),
    phone="טלפון",
    whatsapp="וואטסאפ",
    business="העסק",
    good="תקין",
    warn="כדאי לבדוק",
    bad="דורש טיפול",
    what_to_do="מה לעשות",
    none="אין",
    seconds="{value} שנ׳",
    calls=FigureTexts(
        "שיחות נכנסות",
        "כמה פעמים התקשרו אל העסק.",
        "אם פתאום אין שיחות, ודאו שהמספר אצל Twilio מפנה לכאן: `script/voiceagent doctor`",
        "ועוד {count} שיחות יוצאות",
    ),
    answered=FigureTexts(
        "נענו",
        "מכל השיחות הנכנסות, החלק שבו הסוכן היה על הקו.",
        "שיחות שלא נענו: הקווים היו מלאים (`MAX_CALLS`), או שהחיבור לא הגיע. בדקו ביומן של Twilio.",
        "{answered} מתוך {count}",
    ),
    response=FigureTexts(
        "זמן תגובה",
        "מסוף דברי המתקשר ועד הצליל הראשון של התשובה, במחצית מהתשובות.",
        "מעל שנייה וחצי השיחה מרגישה איטית: בחרו מודל מהיר יותר, או שרת קרוב יותר למנועים.",
        "95 מכל 100 תשובות בתוך {value}",
    ),
    barge_ins=FigureTexts(
        "קטיעות",
        "כמה פעמים המתקשר התחיל לדבר בזמן שהסוכן דיבר, והסוכן השתתק.",
        "הרבה קטיעות: קצרו את תשובות הסוכן. הרבה קטיעות שווא: העלו את `BARGE_IN_MIN_MS`.",
        "מהן {count} קטיעות שווא: רעש, והסוכן המשיך",
    ),
    guesses=FigureTexts(
        "ניחושים שהצליחו",
        "תשובות שהוכנו עוד לפני שהיה ברור שהמתקשר סיים, ושהתאימו למה שנאמר.",
        "כשמעט מצליחים, המודל עובד לשווא: אפשר לכבות עם `LLM_SPECULATION=false`.",
        "{used} מתוך {count}",
    ),
    failures=FigureTexts(
        "תקלות במנועים",
        "כמה פעמים מנוע לא עבד והסוכן התנצל, או שמנוע אחר החליף אותו.",
        "הריצו `script/voiceagent doctor`: הוא אומר מה שבור ואיך מתקנים. פרטים ביומן של השירות.",
    ),
    messages_in=FigureTexts(
        "הודעות שנכנסו",
        "הודעות וואטסאפ שאנשים כתבו לעסק.",
        "אם אין הודעות כלל, ודאו שוואטסאפ מחובר בעמוד ״וואטסאפ״.",
    ),
    messages_out=FigureTexts(
        "הודעות שיצאו",
        "הודעות וואטסאפ שהסוכן, תוכנה או אדם מהעסק כתבו, ושנשלחו.",
        "אם אנשים כותבים ואין תשובות, בדקו שהסוכן עונה (`WHATSAPP_AGENT`) ושאין הודעות ממתינות.",
    ),
    queued=FigureTexts(
        "ממתינות לשליחה",
        "הודעות שנכתבו ועוד לא יצאו, נכון לעכשיו. דקה או שתיים הן דבר רגיל.",
        "אם הן ממתינות יותר מעשר דקות, ודאו שוואטסאפ מחובר בעמוד ״וואטסאפ״."
        " שום דבר לא הולך לאיבוד.",
        "הראשונה מאז {time}",
    ),
    failed=FigureTexts(
        "הודעות שנכשלו",
        "הודעות שלא יישלחו עוד: מספר שאין בו וואטסאפ, אדם שביקש להפסיק, או סירוב של הרשת.",
        "פתחו את השיחה: ליד ההודעה כתוב למה, ואפשר לשלוח שוב.",
        "על {count} נוספות לא ידוע אם יצאו",
    ),
    callbacks=FigureTexts(
        "ממתינים לשיחה חוזרת",
        "אנשים שביקשו שיחזרו אליהם ועוד לא סומן שחזרו.",
        "התקשרו אליהם, וסמנו בעמוד השיחה שחזרתם.",
        "אצל {count} מהם השעה שביקשו עברה",
    ),
    notices=FigureTexts(
        "דיווחים שאבדו",
        "דיווחים לבעל העסק שהשירות ויתר עליהם אחרי ניסיונות רבים.",
        "בדקו את `OWNER_WEBHOOK_URL` ואת `OWNER_WHATSAPP`, ואז שלחו שוב:"
        " `/api/crm/notices?status=dead`",
    ),
    payments=FigureTexts(
        "תשלומים",
        "בקשות תשלום ששולמו בתקופה.",
        "כשמעטים משלמים, נסו את הקישור בעצמכם ובדקו את החשבון אצל ספק הסליקה.",
        "התבקשו {count}",
    ),
    costs=FigureTexts(
        "עלות משוערת",
        "לפי המחירים שבהגדרות: דקות שיחה, הקשבה, דיבור, מודל והודעות. זו הערכה, לא חשבון.",
        "כשתקציב היום נוצל, מי שמתקשר משאיר הודעה. אפשר להעלות את `DAILY_BUDGET`,"
        " או להגביל שיחות של אותו מספר: `CALLS_PER_CALLER_HOUR`",
        "התקציב ליום: {budget}",
    ),
    cost_parts={
        "calls": "שיחות",
        "listening": "הקשבה",
        "speaking": "דיבור",
        "thinking": "מודל",
        "messages": "הודעות",
    },
    engines={
        "stt": "זיהוי דיבור",
        "tts": "קול",
        "brain": "חשיבה",
        "transfer": "העברה לאדם",
    },
    as_table="כטבלה",
    hour_chart="שיחות לפי שעה",
    hour_chart_mean="שיחות לפי שעה, ממוצע ליום",
    day_chart="שיחות לפי יום",
    response_chart="זמן תגובה, בשניות",
    message_chart="הודעות וואטסאפ לפי יום",
    chart_about="מ־{first} עד {last}, משמאל לימין. השיא: {most}, ב־{at}.",
    response_about="מחצית מהתשובות בתוך {p50}, 95 מכל 100 בתוך {p95}. הזמן משמאל לימין.",
    no_calls="לא היו שיחות בתקופה זו. כשיהיו, יופיע כאן באילו שעות התקשרו.",
    no_responses="הסוכן לא ענה לאיש בתקופה זו. כשיענה, יופיע כאן כמה זמן חיכו לתשובה.",
    no_messages="לא היו הודעות בתקופה זו. כשיהיו, יופיע כאן כמה נכנסו וכמה יצאו.",
    hour="שעה",
    day="יום",
    came="נכנסו",
    of_answered="נענו",
    of_missed="לא נענו",
    half="מחצית מהתשובות (p50)",
    most="95 מכל 100 (p95)",
    received="נכנסו",
    sent="יצאו",
    weekdays=("ב׳", "ג׳", "ד׳", "ה׳", "ו׳", "שבת", "א׳"),
)

NUMBERS_EN: Final = NumbersTexts(
    title="Numbers",
    lead=(
        "How the business does on the phone and by WhatsApp, and what to do when something is"
        " wrong. Trial calls are not counted."
    ),
    periods_label="Period",
    periods={"today": "Today", "week": "7 days", "month": "30 days"},
    before={
        "today": "Yesterday until this hour: {value}",
        "week": "The week before: {value}",
        "month": "The 30 days before: {value}",
    },
    points="pts",
    counted="Counted until {time}",
    counting=(
        "The numbers are being counted for the first time, and will be here in a minute or two."
    ),
    stopped=(
        "Nothing is counted any more: this is how it was at {time}. Look after the database:"
        " `script/voiceagent doctor`"
    ),
    nothing="No numbers yet",
    nothing_hint="After the first call or message there will be, by themselves:",
    nothing_list=(
        "How many people called, at which hours, and how many calls were answered",
        "How long they waited for an answer, how often they interrupted, which engines failed",
        "WhatsApp messages that came in, went out, wait or have failed",
        "Who wants to be called back, and payments asked for and paid",
    ),
    phone="Phone",
    whatsapp="WhatsApp",
    business="Business",
    good="Fine",
    warn="Look at this",
    bad="Needs care",
    what_to_do="What to do",
    none="none",
    seconds="{value} s",
    calls=FigureTexts(
        "Calls in",
        "How often people called the business.",
        "When there are suddenly none, see that the number at Twilio points here:"
        " `script/voiceagent doctor`",
        "and {count} calls out",
    ),
    answered=FigureTexts(
        "Answered",
        "Of all calls in, those that the agent was on the line for.",
        "Calls that were not: all lines were busy (`MAX_CALLS`), or the connection never came."
        " Look at Twilio's own log.",
        "{answered} of {count}",
    ),
    response=FigureTexts(
        "Response time",
        "From the end of what the caller said to the first sound of the answer, for half of the"
        " answers.",
        "Beyond a second and a half a call feels slow: take a faster model, or a server nearer to"
        " the engines.",
        "95 of 100 answers within {value}",
    ),
    barge_ins=FigureTexts(
        "Interruptions",
        "How often a caller began to speak while the agent spoke, and the agent fell silent.",
        "Many of them: have the agent say less at a time. Many false ones: raise"
        " `BARGE_IN_MIN_MS`.",
        "{count} of them false: a noise, and the agent went on",
    ),
    guesses=FigureTexts(
        "Guesses that were right",
        "Answers begun before it was sure that the caller had finished, and right for what was"
        " said.",
        "When few are right the model works in vain: turn it off with `LLM_SPECULATION=false`.",
        "{used} of {count}",
    ),
    failures=FigureTexts(
        "Engine failures",
        "How often an engine did not work, and the agent apologised or another engine took over.",
        "Run `script/voiceagent doctor`: it says what is broken and how to mend it. More is in the"
        " service's log.",
    ),
    messages_in=FigureTexts(
        "Messages in",
        "WhatsApp messages that people wrote to the business.",
        "When there are none at all, see on the page “WhatsApp” that it is connected.",
    ),
    messages_out=FigureTexts(
        "Messages out",
        "WhatsApp messages that the agent, a program or somebody of the business wrote, and that"
        " have left.",
        "When people write and get no answer, see that the agent answers (`WHATSAPP_AGENT`) and"
        " that no messages wait.",
    ),
    queued=FigureTexts(
        "Waiting to be sent",
        "Messages that were written and have not left yet, as of now. A minute or two is normal.",
        "When they wait for more than ten minutes, see on the page “WhatsApp” that it is"
        " connected. Nothing is lost.",
        "the first since {time}",
    ),
    failed=FigureTexts(
        "Failed messages",
        "Messages that will not be sent: a number without WhatsApp, somebody who wants none, or"
        " the network's refusal.",
        "Open the conversation: the message says why, and can be sent again.",
        "of {count} more nobody knows whether they left",
    ),
    callbacks=FigureTexts(
        "Waiting for a call back",
        "People who asked to be called back, and nobody has ticked off yet.",
        "Call them, and tick it off in the conversation.",
        "for {count} of them the hour has passed",
    ),
    notices=FigureTexts(
        "Notices given up",
        "What the owner was to be told and was not, after many attempts.",
        "Look after `OWNER_WEBHOOK_URL` and `OWNER_WHATSAPP`, then send them again:"
        " `/api/crm/notices?status=dead`",
    ),
    payments=FigureTexts(
        "Payments",
        "Requests for money that were paid in this period.",
        "When few pay, try a link yourself, and look at the account with the payment provider.",
        "{count} asked for",
    ),
    costs=FigureTexts(
        "Costs, about",
        "By the prices of the settings: minutes of calls, listening, speaking, the model and"
        " messages. An estimate, not an invoice.",
        "When the day's budget is spent, callers leave a message. Raise `DAILY_BUDGET`, or limit"
        " the calls of one number: `CALLS_PER_CALLER_HOUR`",
        "A day's budget: {budget}",
    ),
    cost_parts={
        "calls": "calls",
        "listening": "listening",
        "speaking": "speaking",
        "thinking": "model",
        "messages": "messages",
    },
    engines={
        "stt": "Recognition",
        "tts": "Voice",
        "brain": "Thinking",
        "transfer": "Transfer to a person",
    },
    as_table="As a table",
    hour_chart="Calls by the hour",
    hour_chart_mean="Calls by the hour, per day on average",
    day_chart="Calls by the day",
    response_chart="Response time, in seconds",
    message_chart="WhatsApp messages by the day",
    chart_about="From {first} to {last}, left to right. The most: {most}, at {at}.",
    response_about="Half of the answers within {p50}, 95 of 100 within {p95}. Left to right.",
    no_calls="No calls in this period. When there are, here is at which hours people call.",
    no_responses="Nobody was answered in this period. When somebody is, here is how long it took.",
    no_messages="No messages in this period. When there are, here is how many came and went.",
    hour="Hour",
    day="Day",
    came="came in",
    of_answered="answered",
    of_missed="not answered",
    half="half of the answers (p50)",
    most="95 of 100 (p95)",
    received="came in",
    sent="went out",
    weekdays=("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
)
