"""Ends of English and Hebrew texts, pair by pair: the same last word, whole and open.

`test_rule.py` has an example of each kind of ending; here a word stands behind each of those that
turn its meaning.
"""

import pytest

from voiceagent.call.completeness.rule import reads_complete

WHOLE_ENGLISH = (
    "so do I|neither do I|nor can I|so am I|that's it|that is it|this is it|how is it"
    "|where is this|how are these|where are those|what is it|which is that|who are you"
    "|how is he|where are they"
    "|you don't do you|can you do it|I will do that|you could have this"
    "|please don't do it|I have it|we can have these|let's do it|I want to have those"
    "|do it|I would rather not do that"
    "|about that|give me that|not that|like that|more than I|better than she"
    "|it's open isn't it|you can come can't you|from my wife's|that's my wife's"
    "|it is my sister's|the third of may|I am here at 10 am|when I can't|as far as I know"
    "|than I am|I think it is|no I can't|yes we do|they do|she does|I don't|we are|I am"
    "|it is|where they are|nothing to do|something to do"
    "|whose is this|is it that|in this|with these|in those|after this|why not"
    "|no it is not|yes I am not|I hope not|I'd rather not|not so|I think so|how so"
    "|even more|something to eat|how much|how many|what kind|of which kind"
    "|tell me how much it is|next|who is next|you're next|I'm next|at last"
    "|would you mind me asking|I don't mind|the first half|two and a half|a quarter|half"
    "|it was his|20 each|what are they each|the wrong number|I know|I don't know"
    "|let me know|how do I know|as you know|good to know|the one you know"
    "|we'll see|how can I book|I can't say|where was it made|how does it look"
    "|where do you live|something to buy|a place to stay in|I want a flat to rent"
    "|somebody to talk to|no I don't want to|whenever you want to|I'd love to"
    "|is the doctor in|is he in|are they in|can you turn the heating on|fill the form in"
    "|has it been paid for|it was dealt with|could I log in|can you pick me up"
    "|what is it about|who is it from|what are you looking for|what floor is it on"
    "|what colour does it come in|the price I asked for|all the things you asked about"
    "|send it to me please|can you call me|thank you for calling|just looking"
    "|who's calling|why are you calling|no thanks|or so|only one|with olives or without"
    "|whichever you want|where from|from where|I don't know how|let me know when"
    "|I don't know where|your office is where and why|what for|how far"
    "|call me back if you can|only if you want|if not|I ask if you can come"
    "|if you don't mind|if possible|either on Monday or on Tuesday|neither of them"
    "|both are fine|both of them|between four and six|either is fine|yes|always|thanks"
    "|perhaps|sometimes|sheets and towels"
    "|whenever you can|call me when you can|call me when you could|what has it been"
    "|how long has it been|tell me what to do|what would that be"
    "|tell me what the price is|tell me how old the house is|they can come can't they"
    "|it's open isn't it|you can do it can't you|hi there|and you|which is it"
    "|what are these|what are those|what is this|why is that|when is this|when are these"
    "|why are those|just do it|just do this|just do that|just have it|just have this"
    "|just have that|I did it|he does it|we had these|they have those|you did this"
    "|let's have these|I want to do those|please don't have these|we will have those"
    "|at 4 am|I am at Tom's|we went to Tom's|it came from Tom's|yes he does"
    "|I know what I have|anyone that|the tall one there"
)
OPEN_ENGLISH = (
    "is there|does it|can they|why is he|when are you|what are you|do you know if they"
    "|could you|is this|are these|was that|I think that|tell me that|told us that"
    "|telling him that|something that|someone that|somebody that|the one that"
    "|the ones that|anything that|the thing that|the fact that|the flat that"
    "|my house that|these|those|it|there|because it|and this|whether it|when it|until you"
    "|before they|that you|what it|how you"
    "|my name is|my name's|the flat was|the doctor will|I'd rather|I'd better"
    "|my husband has|she can|when can I|the card won't|the shop doesn't|we may"
    "|it's too|I really|it's not|I'm not|there's no|without any|is there any"
    "|do you have any|with only|I want maybe|I need just|something more|the most"
    "|about more|far too|I also|and he never|we always|and I still"
    "|I wanted to know how much|I need to know what kind|on the next|I want the last"
    "|would you mind|at half|a quarter to|a quarter at|until half|the twenty|the thirty"
    "|you had better|three point|7 point|speak to doctor|doctor|is professor|to his"
    "|about his|two each|one with olives and one|one red or one|flat number|room number"
    "|bus number"
    "|a new|the nearest|since last|my current|we're looking|I'm calling|it is due"
    "|can you send me|tell me|give us|show me|can you give you|tell you|I want to book"
    "|could I check|I need to order|I want|can you put|she said|do you know"
    "|I want to know|I wonder if you know|I live|it looks|it sounds"
    "|I need a table for|what's the price of|next to|at|I want to|I'd like to speak to"
    "|look for|I want it in|in|on|from|the man who|tell me what|the reason why"
    "|I don't know what|the person whose|show me which|where is the"
    "|either Monday|neither Monday|both my husband and|between two|if it rains tomorrow"
    "|if I come|although it rains|if the shop is open|well|listen|anyway|so"
    "|tomatoes cucumbers|sheets towels|dogs cats rabbits"
    "|I like it for example|yes I would like it on the one hand"
    "|call me when you have|isn't it|don't you|why isn't it|why don't you|or it|before it"
    "|that it|if it|what you|which are you|which is he|what my wife wants is|room 10 is"
    "|flat 4 has|I think Tom's|one that|ones that|thing that|fact that|anything that"
    "|well it"
)
WHOLE_HEBREW = (
    "גם אני|רק אתה|זה הוא|מי אתה|איפה אתם|איך אתה|גם הוא|רק היא|לא הוא|איפה היא|מי הם"
    "|זה לא הוא|כן יש|לא אין|מה יש|כמה יש|אין|יש|לא היה|כבר היה|כן היה|איך היה"
    "|מתי זה יהיה|לא יודע|לא רוצה|אני לא יכול|כן אני יכול|לא אני יכולה|כן אפשר|בטח אפשר"
    "|כן צריך|תתקשרו אם אתם יכולים|אם אפשר|כן תשלחו לי|כואב לי|אין לי|לא נראה לי"
    "|ככה נראה לי|גם יש לי|לא יש לי|ביום שלישי אני חושב|אני לא חושב|כן חושב|מה אתה חושב"
    "|לא אמרתי|ככה אמר|מה הוא אמר|עוד לא קיבלתי|כבר הזמנתי|תשלחו|להזמין|לא להזמין"
    "|מה להזמין|את זה אני רוצה|את הדירה אני רוצה|הדירה שאני רוצה|כמה שצריך|מה שצריך"
    "|איפה הדירה נמצאת|כמה זה עולה|איך זה נראה|כך נראה|לא נראה|על זה|כמה זה|רק זה|גם זה"
    "|לא זה|את זה|במספר זה|עדיין לא|לא|גם לא|אולי לא|כן|אני חושב שכן|עד מתי|לא יודע איך"
    "|לא יודעת מתי|לא ברור למה|איזה|איזו|ממתי|כמה|טוב מאוד|לא הרבה|לא מעט|אין עוד|כל עוד"
    "|זול יותר|משהו טוב יותר|לא רוצה הרבה|יש לי בן|הבן שלי בן שלוש|יום שני|ראשון או שני"
    "|עד שני|של שני|צד שני|שני|בקומה שלוש|פעמיים ביום|שלוש פעמים ביום|2 ביום|לא חמישה"
    "|בין שתיים לארבע|תוך שעה|אם אני רוצה|אם אני בא אתה תבוא|לפני שנה|שנה לפני"
    "|יומיים אחרי|כאן במקום|פה במקום|כיתה ב|יום ה|כניסה ב|לכיתה ו|החלפת שמן|כתובת"
    "|מה הזמנת|את הזמנת|לא הזמנת|מה פתחת|בבקשה|כן בבקשה|מה להחליף|לא להחליף"
)
OPEN_HEBREW = (
    "אני|ואנחנו|האם אתם|הדירה שאני|עם מי אתה|של מי אני|השם שלי הוא|הטלפון שלי זה|שזה"
    "|המחיר יהיה|היה|האם יש|יש לכם|תגידי לי|יש לי|אין לכם|אין לך|תן לי|תביאו לנו|אני רוצה"
    "|אפשר|אתם יכולים|הוא אמר|קוראים לי|אני חושב|נראה לי|זה נראה|הדירה נמצאת|זה עולה"
    "|אני לא|הוא לא|אנחנו כן|הוא כן|תגידי לי מה|תגידי לי איפה|לא יודע מה|לא יודע מי"
    "|תלוי כמה|באיזו|איזה מהם ואיזה|זה מאוד|אני ממש|זה יותר|יש לכם אולי|יש אולי"
    "|שמונה פחות|8 ופחות|משהו יותר|רוצה רק|אני בן|הבן שלי בן|היא בת|אנחנו צריכים שני|מספר"
    "|דירה מספר|בדירה מספר|אחד עם חלב ואחד|אחת גדולה ואחת|ביום|ליום|מיום|בין ארבע"
    "|בעוד חמש|תוך 5|כעבור שלוש|אם אני בא מחר|לפני|אחרי|במקום|לפני ה|אני גר ב|ב|ל|כש|וש"
    "|החלפת|פתיחת|קניית|והחלפת|אני רוצה להעביר|למחלקת|בשכונת|ולמחלקת|כשאני|ושאני|וגם|או"
    "|בבקשה תביא לי|תביא לי בבקשה"
)


@pytest.mark.parametrize("text", [*WHOLE_ENGLISH.split("|"), *WHOLE_HEBREW.split("|")])
def test_nothing_is_missing(text: str) -> None:
    assert reads_complete(text)


@pytest.mark.parametrize("text", [*OPEN_ENGLISH.split("|"), *OPEN_HEBREW.split("|")])
def test_something_is_to_come(text: str) -> None:
    assert not reads_complete(text)
