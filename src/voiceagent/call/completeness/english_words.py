"""The words that `english.py` asks about, by what they do to the end of a clause.

Pure data: closed classes as "The Cambridge Grammar of the English Language" has them, and verbs
that want a complement. A contraction is its parts: "I'd" is `i` and `'d`.
"""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(phrase.split()) for phrase in text.split("|"))


# --- nouns and what stands for them -------------------------------------------------------

SUBJECTS: Final = _words("i we he she they")
"""Nominative: never an object."""
DEMONSTRATIVES: Final = _words("this that these those")
PRONOUNS: Final = SUBJECTS | DEMONSTRATIVES | _words("you it there who")
PEOPLE: Final = _words("me us him her them you it")
"""As objects."""
PERSONS: Final = _words("he she they anyone anybody someone somebody doctor dentist manager boss")
"""May be "in"."""
DETERMINERS: Final = DEMONSTRATIVES | _words("a an the my your our their his her its every another")
ATTRIBUTES: Final = _words(
    "new nearest closest whole entire main following current previous former big bigger small "
    "smaller nice good better great different quick short cheap cheaper serious certain "
    "particular similar other only latest free few"
)
"""Behind a determiner they lack their noun."""
NEGATIONS: Final = _words("not never no nothing nobody none neither nor hardly cannot")

# --- verbs --------------------------------------------------------------------------------

LINKING: Final = _words("am is are was were 'm 're 's")
BE: Final = LINKING | _words("be been being")
DO: Final = _words("do does did")
HAVE: Final = _words("have has had 've")
MODALS: Final = _words("can could will would shall should may might must 'll 'd")
AUXILIARIES: Final = BE | DO | HAVE | MODALS
CLITICS: Final = _words("'m 're 's 've 'll 'd")
SHORT_ANSWERS: Final = _phrases("i am|i will|we are|it is")
"""May be all of an answer; so may any pronoun with "do"."""
ANSWERS: Final = _words("yes yeah yep yup no nope sure course certainly")
LICENSES: Final = ANSWERS | _words(
    "think hope believe wish guess suppose know as than where how what who whom which whenever "
    "wherever whatever whichever however here there maybe perhaps"
)
"""Before a pronoun and an auxiliary at the end: what the auxiliary stands for is known."""
INDIRECT_QUESTIONS: Final = _words(
    "wonder wondering wondered ask asking see check know find appreciate grateful sure tell"
)
"""An "if" behind them has its clause still to come."""
CATENATIVES: Final = _words(
    "want wants wanted need needs needed like love prefer hope hoping plan planning try trying "
    "tried going have has had got able supposed used ought looking look calling ringing phoning "
    "call wish decide decided afford expect expecting intend happy glad ready willing allowed "
    "possible me us you him her them"
)
"""Their "to" begins the clause that is wanted, not a relative one ("a flat to rent")."""
TRANSITIVES: Final = _words(
    "want wants wanted need needs needed get gets find finds make makes made put puts take takes "
    "bring brings brought give gives gave send sends tell tells told say says said mean means "
    "meant keep keeps kept let lets seem seems seemed sound sounds look looks feel feels become "
    "include includes contain contains cost costs weigh prefer prefers choose describe mention "
    "receive provide recommend suggest offer think thinks thought believe hope suppose guess "
    "reckon wonder consider enjoy avoid attend accept fix require requires expect involve "
    "involves ensure owe owes lack lacks speak live lives got bought noticed trying making buying "
    "finding bringing giving getting sending putting taking needing wanting using including "
    "thinking hoping planning depending able supposed according"
)
"""Not said without what follows, unless it stands before them. "Buy", "sell" and "rent" are whole
answers to "would you like to buy or to rent?"."""
PARTICIPLES: Final = _words("made put kept bought brought needed included found noticed")
""" "where was it made": passive, and whole."""
SEPARABLE: Final = _words("turn turned put switch switched fill filled hand plug bring get")
"""Their object may stand before the "on" or "in": "turn the heating on"."""
INFINITIVES: Final = _words(
    "book order schedule reserve arrange change report request confirm check discuss ask view "
    "visit place use renew update contact open close pick collect join add hire reach see set "
    "sort replace remove upgrade transfer return exchange submit hear try pay start"
)
"""Nouns too, or said without an object elsewhere: open only as in "want to book", "could I
check"."""
OF_PLACE_OR_MANNER: Final = _words("live lives look looks feel feels sound sounds")
"""Whole behind "where" or "how"."""
OPINIONS: Final = _words("think guess believe suppose hope reckon")
"""Open a sentence ("I think") or close it ("on Tuesday I think")."""
DATIVES: Final = _words(
    "tell told asked give get send show bring let make ask offer lend pass find put gives gave "
    "sent sends telling giving sending"
)
"""Behind them "me" is to whom, and what is still to come."""
REPORTERS: Final = LINKING | _words(
    "think thinks thought say says said hope believe know knows understand guess sure afraid mean "
    "means so now except such given provided told heard saw see noticed suppose assume promised"
)
"""Behind them "that" begins a clause."""

# --- prepositions and particles -----------------------------------------------------------

ADVERBS_TOO: Final = _words("off up down out inside outside above below round")
"""Prepositions that are adverbs by themselves: "pick me up"."""
NEVER_STRANDED: Final = _words(
    "into onto towards toward upon beside between among during via per than beneath"
)
PREPOSITIONS: Final = (
    ADVERBS_TOO
    | NEVER_STRANDED
    | _words(
        "of to for with in on at from by about like without near against under since after before "
        "across past opposite over through along around behind within as beyond until till"
    )
)
PHRASAL: Final = {
    "in": _words(
        "come comes coming came log logged logging move moves moved moving check checked checking "
        "sign signed signing plug plugged fill filled get got getting go goes went gone drop "
        "dropped pop popped call called let put bring brought hand handed send sent book fit "
        "squeeze stay staying join turn trade break broke broken walk walked dial type typed key "
        "tune settle pitch"
    ),
    "on": _words(
        "hang hanging hold holding carry go goes going gone come comes coming came turn turned "
        "log logged put try tried switch switched pass passed keep get so later early now then "
        "add move moving still"
    ),
    "over": _words("come go start hand take get move pull think 's is was came went turn all"),
    "through": _words("put get go come let got went came went look"),
    "around": _words("look looking show turn come walk drive shop shopping go way been"),
    "along": _words("come go bring get"),
    "behind": _words("left fall leave fell stay"),
    "by": _words("drop stop come pass go came went dropped stopped swing"),
    "after": _words("look looked looking day week month year morning soon shortly one"),
    "before": _words("ever never been there here day week month year night as that this done"),
    "since": _words("ever"),
    "past": _words("drive walk go get pass drove walked went"),
    "without": _words("do go live manage or"),
}
"""With these before it, perhaps with an object between, the word ends a verb or an adverb."""
BEFORE_STRANDED: Final = _words(
    "speak spoke spoken talk talked look go goes come comes call pay paid ask wait live lives "
    "work works stay deal dealt depend think hear heard know sit park apply belong refer rely "
    "send sent get got made done meant good responsible close write wrote read worry care "
    "allergic due for it you this that they he she we i them these those there me him us stand "
    "ship deliver fly travel drive connect transfer start begin born available happy full down up "
    "out aware afraid amount respond consist lead subscribe listen relate add originate answer "
    "report"
)
"""Verbs, participles, adjectives and pronouns: a preposition behind them has lost its noun to the
front. So it has behind any word in -ing or -ed."""
STRANDED_BEHIND_NOUN: Final = _words("about from like as until")
""" "what is the letter about"."""
RELATIONAL: Final = _words(
    "price cost charge fee rate deadline address number name reason time ticket procedure train "
    "bus date hours"
)
"""Nouns that want the "for" or "from" behind them filled."""
PREPOSITIONAL_VERBS: Final = _phrases(
    "paid for|dealt with|looked after|looked at|care of|accounted for|catered for|spoken to"
    "|seen to|heard of|heard from|asked for|thought of|talked about|broken into|looked into"
    "|run over"
)
"""Passives, whole as they stand: "it has been paid for"."""
PURPOSES: Final = _phrases(
    "talk to|speak to|talk with|speak with|worry about|sit on|write on|write with|live in|stay in"
    "|park in|sleep on|rely on|wait for|look at"
)
"""Whole behind a noun and "to": "somebody to talk to"."""

# --- questions and relatives --------------------------------------------------------------

QUESTION_WORDS: Final = _words("what which who whom whose where when why how")
FRONTED: Final = _words("what which who whom whose whatever whichever whoever")
"""Stand for the object or the noun that the end lacks."""
FRONTED_PLACES: Final = FRONTED | _words("where wherever")
MEASURES: Final = _words("much many long far old often big tall late soon time kind sort type")
"""Behind "how", "what" or "which": a question phrase."""
RELATIVE_HEADS: Final = _words(
    "all everything anything nothing something someone somebody anyone anybody nobody one ones "
    "thing things only much many that which who what whatever whenever wherever however as than "
    "else way where how"
)
"""Before "I need", "you can": the need or the ability has its object in them."""

NUMERALS: Final = _words("zero one two three four five six seven eight nine ten eleven twelve")

# --- small words --------------------------------------------------------------------------

FILLERS: Final = _words("um uh er erm umm uhm hmm hm mmm ehm eh")
ALWAYS_OPEN: Final = (
    FILLERS
    | NEVER_STRANDED
    | _words(
        "a an the my your our their its while and or but nor because if unless although whereas "
        "whose every very therefore moreover furthermore whether except despite versus unlike "
        "such extremely fairly approximately roughly particularly especially merely dot "
        "underscore dash hyphen mr mrs ms dr prof minus some several even almost nearly provided "
        "assuming firstly secondly basically namely rather regarding concerning considering wanna "
        "gonna gotta let's another"
    )
)
"""Nothing ends in them, whatever stands before, but for `CLOSED_PHRASES`."""
WEAK_ADVERBS: Final = _words(
    "really quite just only also still always never probably maybe definitely actually usually "
    "currently normally mostly mainly simply not pretty slightly totally completely absolutely "
    "already ever generally honestly obviously apparently unfortunately hopefully possibly kindly "
    "so too any more most less both either"
)
"""Between a subject or a copula and what is to come."""
BEFORE_NOT: Final = (
    DO
    | HAVE
    | MODALS
    | _words(
        "course why hope afraid absolutely certainly definitely probably maybe perhaps or if "
        "rather think guess suppose apparently obviously preferably"
    )
)
BEFORE_SO: Final = _words(
    "think hope guess suppose believe say said do did does doing how not afraid or imagine expect "
    "reckon told more even"
)
OPENERS: Final = FILLERS | _words(
    "hi hello hey okay ok yes yeah yep no nope well so right sorry oh ah and but good morning "
    "evening great fine listen look now actually anyway basically honestly please thanks then "
    "sure alright"
)
"""Stand before a sentence and are no part of it."""
ANNOUNCERS: Final = _words(
    "well listen look anyway actually honestly otherwise meanwhile also besides finally which so "
    "just only still too quite more most not"
)
"""Alone they say that a sentence is coming."""
BOUNDARIES: Final = _words("and but or because if unless although though while cause")
"""What is fronted before them does not reach behind."""
OPEN_PHRASES: Final = _phrases(
    "first of all|on the one hand|on one hand|on the other hand|for example|for instance|kind of"
    "|sort of|i mean|let me see|let's see|let me think|in other words|in case|in order|as far as"
    "|what if|how come|as i said|like i said|make sure|looking forward|guess what|is a bit"
    "|'s a bit|is a little|'s a little|for at least|is at least|'s at least|such a|no matter"
    "|not only|and then|in addition|and also|even though"
)
"""Announce, hedge or hesitate."""
ANNOUNCEMENTS: Final = _phrases(
    "by the way|to be honest|in fact|my name|my number|my address|my email|my phone number"
    "|the thing|the problem|the question|the reason|at least|in general|the first thing"
    "|on top of that|other than that|apart from that"
)
"""Open when nothing else was said."""
CLOSED_PHRASES: Final = _phrases(
    "mm hm|uh huh|just in case|let you know|what i mean|what you mean|as well|thank you|of course"
    "|and so on|one another|even so|in particular|then some|now and then|if not|if so|is that so"
    "|just a few|quite a few|only a few|each other|a while|would rather not|'d rather not"
)
"""Whole, whatever their last word does elsewhere."""
