"""The words of the inbox and of its threads, in Hebrew and in English."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class InboxTexts:
    """Of one language."""

    title: str
    search: str
    search_hint: str
    clear: str
    hits: str
    no_hits: str
    no_hits_yet: str
    search_on: str
    no_hits_hint: str
    nobody: str
    nobody_hint: str
    choose: str
    choose_hint: str
    more: str
    earlier: str
    newest: str
    nothing_yet: str
    unknown: str
    """A caller whose number is withheld."""
    unread: str
    """With `{count}`."""
    you: str
    """Before what the business wrote last."""
    thread: str
    authors: Mapping[str, str]
    write: str
    write_hint: str
    send: str
    empty: str
    too_long: str
    opted_out: str
    no_number: str
    send_again: str
    was_sent_again: str
    agent: Mapping[str, str]
    """Who answers: `on`, `off`, `person`."""
    agent_more: Mapping[str, str]
    take_over: str
    give_back: str
    statuses: Mapping[str, str]
    """Of messages on their way out."""
    waits: Mapping[str, str]
    """Why one has not left, or has failed; by the provider's word."""
    call_in: str
    call_out: str
    call_statuses: Mapping[str, str]
    no_summary: str
    on_the_line: str
    call_page: str
    callback: str
    called_back: str
    callback_statuses: Mapping[str, str]
    appointment: str
    appointment_statuses: Mapping[str, str]
    payment: str
    payment_statuses: Mapping[str, str]
    contents: Mapping[str, str]
    """Of a message that is no text: `image`, `audio`, …"""
    by_telephone: str
    """Beside a message that was spoken."""
    file_waits: str
    file_failed: str
    download: str
    transcript: str
    edited: str
    deleted: str
    reply_to: str
    hit_kinds: Mapping[str, str]
    away: str


INBOX_HE: Final = InboxTexts(
    title="שיחות",
    search="חיפוש",
    search_hint="שם, מספר או מילים",
    clear="ניקוי החיפוש",
    hits="תוצאות",
    no_hits="לא נמצא דבר",
    no_hits_yet="עדיין לא נמצא דבר",
    search_on="להמשיך לחפש",
    no_hits_hint="נסו שם אחר, חלק ממספר או מילה אחרת.",
    nobody="עדיין אין שיחות",
    nobody_hint="מי שיתקשר או יכתוב לעסק יופיע כאן מעצמו.",
    choose="בחרו שיחה",
    choose_hint="הודעות, שיחות טלפון, תורים ותשלומים של כל אדם מופיעים ברצף אחד.",
    more="עוד שיחות",
    earlier="מוקדם יותר",
    newest="להודעות האחרונות",
    nothing_yet="עדיין לא קרה כאן דבר",
    unknown="מספר חסוי",
    unread="{count} שלא נקראו",
    you="העסק:",
    thread="ציר הזמן",
    authors={"agent": "הסוכן", "program": "הודעה אוטומטית", "person": "מהעסק"},
    write="הודעת וואטסאפ",
    write_hint="כתבו הודעה…",
    send="שליחה",
    empty="אין מה לשלוח: ההודעה ריקה.",
    too_long="ההודעה ארוכה מדי: עד 4096 תווים.",
    opted_out="ההודעה לא נשלחה: האדם ביקש לא לקבל עוד הודעות.",
    no_number="אין מספר שאפשר לכתוב אליו.",
    send_again="לשלוח שוב",
    was_sent_again="נשלחה שוב",
    agent={"on": "הסוכן עונה", "off": "הסוכן כבוי", "person": "מענה אנושי"},
    agent_more={
        "on": "הסוכן עונה להודעות בעצמו.",
        "off": "איש אינו עונה מעצמו להודעות.",
        "person": "אתם עונים. הסוכן שותק עד שתחזירו לו את השיחה.",
    },
    take_over="לענות בעצמי",
    give_back="להחזיר לסוכן",
    statuses={
        "queued": "ממתינה",
        "unknown": "לא ידוע אם נשלחה",
        "sent": "נשלחה",
        "failed": "לא נשלחה",
        "delivered": "נמסרה",
        "read": "נקראה",
    },
    waits={
        "hourly_cap": "הגענו למכסה של השעה",
        "daily_cap": "הגענו למכסה של היום",
        "new_chats_cap": "הגענו למכסה של פניות חדשות היום",
        "new_chats_paused": "וואטסאפ אינה מאפשרת פניות חדשות כרגע",
        "pace": "ממתינה לתורה",
        "not_connected": "וואטסאפ אינה מחוברת",
        "not_on_whatsapp": "למספר הזה אין וואטסאפ",
        "bad_number": "המספר אינו תקין",
        "refused": "וואטסאפ סירבה לשלוח",
        "the sidecar cannot be reached": "החיבור לוואטסאפ אינו פועל",
    },
    call_in="שיחה נכנסת",
    call_out="שיחה יוצאת",
    call_statuses={
        "ringing": "מצלצל",
        "in-progress": "על הקו",
        "completed": "הסתיימה",
        "failed": "לא נענתה",
    },
    no_summary="הסיכום יופיע כמה שניות אחרי סוף השיחה.",
    on_the_line="השיחה מתנהלת כרגע.",
    call_page="תמליל ותמונה של השיחה",
    callback="בקשה לחזור בטלפון",
    called_back="חזרנו",
    callback_statuses={"open": "פתוחה", "done": "טופלה", "cancelled": "בוטלה"},
    appointment="תור",
    appointment_statuses={"booked": "נקבע", "cancelled": "בוטל"},
    payment="תשלום",
    payment_statuses={
        "created": "נוצר קישור",
        "sent": "הקישור נשלח",
        "approved": "בבדיקה",
        "paid": "שולם",
        "refunded": "הוחזר",
        "failed": "לא אושר",
        "expired": "פג",
        "cancelled": "בוטל",
    },
    contents={
        "image": "תמונה",
        "video": "סרטון",
        "audio": "הקלטה",
        "document": "מסמך",
        "sticker": "מדבקה",
        "location": "מיקום",
        "contact": "איש קשר",
        "reaction": "תגובה",
        "unsupported": "הודעה שאי אפשר להציג",
    },
    by_telephone="הודעה קולית בטלפון",
    file_waits="הקובץ בדרך",
    file_failed="הקובץ לא התקבל",
    download="להורדה",
    transcript="תמלול",
    edited="נערכה",
    deleted="נמחקה על ידי השולח",
    reply_to="בתשובה על",
    hit_kinds={"contact": "איש קשר", "call": "שיחת טלפון", "message": "הודעה"},
    away="החיבור לשירות נותק, מנסים שוב…",
)

INBOX_EN: Final = InboxTexts(
    title="Inbox",
    search="Search",
    search_hint="Name, number or words",
    clear="Clear the search",
    hits="Results",
    no_hits="Nothing found",
    no_hits_yet="Nothing found yet",
    search_on="Search on",
    no_hits_hint="Try another name, a part of a number or another word.",
    nobody="No conversations yet",
    nobody_hint="Whoever calls or writes to the business appears here by themselves.",
    choose="Choose a conversation",
    choose_hint="Each person's messages, calls, appointments and payments are in one line.",
    more="More conversations",
    earlier="Earlier",
    newest="To the newest",
    nothing_yet="Nothing has happened here yet",
    unknown="Number withheld",
    unread="{count} unread",
    you="You:",
    thread="Time line",
    authors={"agent": "Agent", "program": "Automatic", "person": "You"},
    write="WhatsApp message",
    write_hint="Write a message…",
    send="Send",
    empty="Nothing to send: the message is empty.",
    too_long="The message is too long: up to 4096 characters.",
    opted_out="Not sent: this person has asked for no more messages.",
    no_number="There is no number to write to.",
    send_again="Send again",
    was_sent_again="Sent again",
    agent={"on": "Agent answers", "off": "Agent is off", "person": "You answer"},
    agent_more={
        "on": "The agent answers messages by itself.",
        "off": "Nobody answers messages by themselves.",
        "person": "You answer. The agent keeps silent until you give the conversation back.",
    },
    take_over="Take over",
    give_back="Give back",
    statuses={
        "queued": "Waiting",
        "unknown": "Perhaps sent",
        "sent": "Sent",
        "failed": "Not sent",
        "delivered": "Delivered",
        "read": "Read",
    },
    waits={
        "hourly_cap": "the hour's limit is reached",
        "daily_cap": "the day's limit is reached",
        "new_chats_cap": "the day's limit of new chats is reached",
        "new_chats_paused": "WhatsApp allows no new chats now",
        "pace": "waits for its turn",
        "not_connected": "WhatsApp is not connected",
        "not_on_whatsapp": "the number has no WhatsApp",
        "bad_number": "the number is not right",
        "refused": "WhatsApp refused it",
        "the sidecar cannot be reached": "the connection to WhatsApp is down",
    },
    call_in="Call",
    call_out="Outgoing call",
    call_statuses={
        "ringing": "Ringing",
        "in-progress": "On the line",
        "completed": "Ended",
        "failed": "Not answered",
    },
    no_summary="The summary appears some seconds after the end of the call.",
    on_the_line="The call is going on now.",
    call_page="The call's transcript and picture",
    callback="Call back",
    called_back="Called back",
    callback_statuses={"open": "Open", "done": "Done", "cancelled": "Cancelled"},
    appointment="Appointment",
    appointment_statuses={"booked": "Booked", "cancelled": "Cancelled"},
    payment="Payment",
    payment_statuses={
        "created": "Link made",
        "sent": "Link sent",
        "approved": "Being confirmed",
        "paid": "Paid",
        "refunded": "Refunded",
        "failed": "Not accepted",
        "expired": "Expired",
        "cancelled": "Cancelled",
    },
    contents={
        "image": "Picture",
        "video": "Video",
        "audio": "Recording",
        "document": "Document",
        "sticker": "Sticker",
        "location": "Location",
        "contact": "Contact",
        "reaction": "Reaction",
        "unsupported": "A message that cannot be shown",
    },
    by_telephone="Left by telephone",
    file_waits="The file is on its way",
    file_failed="The file did not come",
    download="Download",
    transcript="Transcript",
    edited="Edited",
    deleted="Deleted by the sender",
    reply_to="In reply to",
    hit_kinds={"contact": "Contact", "call": "Call", "message": "Message"},
    away="The connection was lost; trying again…",
)
