"""What the discovery service decides, as pure functions on the record of one network.

No clock, no network, no store: a caller hands in what is kept (`Kept`: the record, or None; the
service's generation; which names are taken) and the instant, and gets a `Decision` back: the record
and the generation to keep from now on, and the reply.  Keeping them and reading `Kept` are one
atomic step; only a decision that has been kept may be answered.

    create(kept, request, now_ms)                      -> Granted | Refused
    claim_begin(kept, claim, now_ms)                   -> Granted | Refused | Ask
    claim_finish(kept, claim, ask, answer, now_ms)     -> Granted | Refused      `kept` read anew
    renew(kept, renewal, now_ms)                       -> Renewed | Refused
    heard(kept, ask, answer, now_ms)                   -> Noted
    remove_begin(kept, removal)                        -> Removed | Refused | Ask
    remove_finish(kept, removal, ask, answer, now_ms)  -> Removed | Refused      likewise

    claim:  claim_begin --Ask--> put the question to the old leader --Answer--> claim_finish
            one at a time for each network; every other answer of claim_begin is final.
            So it is with remove_begin and remove_finish.
    calls:  `Granted.ask` and `Renewed.ask` are questions to put in the background, whose answers
            go to `heard`: they tell whether this service can reach the leader at all.

    start:  generation = start_generation(stored, now_ms), kept before serving; no answer before the
            instant serves_at(generation).

The rules: a record changes hands only by compare-and-set on its epoch; epochs and ids never repeat,
since a service that forgot starts with a higher generation and takes over what its callers know
(`_recall`), where it has signed that; nothing else but its clock moves its generation; a leader
that says that it leads stays; and a network that has a claim key is changed by nobody who has not
proved that, or its owner's.  Of what a caller shows, only the signatures are looked at that such a
decision depends on, in the order of these rules: a stranger has few looked at.
"""

from nds.record.decisions import (
    believable,
    claim_begin,
    claim_finish,
    create,
    free_name,
    heard,
    is_hidden,
    is_idle,
    known_by_leader,
    remove_begin,
    remove_finish,
    renew,
    serves_at,
    start_generation,
)
from nds.record.values import (
    AHEAD_S,
    BLOCK,
    GENERATION,
    HIDDEN_MS,
    IDLE_MS,
    INTEGER_MAX,
    NAME_MAX,
    NO_EPOCH,
    NO_IDS,
    NOBODY,
    NOBODY_EXPELLED,
    RENEWAL_MS,
    SILENCE_MS,
    Answer,
    Ask,
    Begun,
    Claim,
    Create,
    Decision,
    Ending,
    Epoch,
    Expelled,
    Facts,
    Granted,
    HandOver,
    IdBlock,
    Kept,
    Noted,
    Reason,
    Record,
    Refused,
    Removal,
    Removed,
    Renewal,
    Renewed,
    Speaker,
    Word,
    nobody,
)

__all__ = [
    "AHEAD_S",
    "BLOCK",
    "GENERATION",
    "HIDDEN_MS",
    "IDLE_MS",
    "INTEGER_MAX",
    "NAME_MAX",
    "NOBODY",
    "NOBODY_EXPELLED",
    "NO_EPOCH",
    "NO_IDS",
    "RENEWAL_MS",
    "SILENCE_MS",
    "Answer",
    "Ask",
    "Begun",
    "Claim",
    "Create",
    "Decision",
    "Ending",
    "Epoch",
    "Expelled",
    "Facts",
    "Granted",
    "HandOver",
    "IdBlock",
    "Kept",
    "Noted",
    "Reason",
    "Record",
    "Refused",
    "Removal",
    "Removed",
    "Renewal",
    "Renewed",
    "Speaker",
    "Word",
    "believable",
    "claim_begin",
    "claim_finish",
    "create",
    "free_name",
    "heard",
    "is_hidden",
    "is_idle",
    "known_by_leader",
    "nobody",
    "remove_begin",
    "remove_finish",
    "renew",
    "serves_at",
    "start_generation",
]
