"""A round of votes as people are told of it: why it is held, who was asked, who said what.

Words and effects alone; nothing follows from them.
"""

from .calls import Outcome, absent
from .effects import ElectionMoved, Phase
from .messages import Elected, Refusal, Vote
from .types import MemberId

TO_TAKE_OVER = "to take over"  # a leader that goes asks its successor
AGAIN = "again"  # a lower id that was silent, or did not know the asker


def why(following: MemberId) -> str:
    """Why a round is held by one who follows that leader."""
    return "leader silent" if following else "no leader is known"


def take_over(lower: int) -> str:
    """Why a round waits: so many lower ids stand themselves."""
    return f"{lower} with a lower id {'takes' if lower == 1 else 'take'} over"


def may_reach(lower: int) -> str:
    """Why a round waits a little: so many would stand, and did not reach the registry of late."""
    return f"{lower} with a lower id may yet reach the NDS"


def spoken(answer: Elected) -> str:
    """A vote in words.  The question was whether the leader is silent."""
    match answer.vote:
        case Vote.LEADING:
            return "leading"
        case Vote.PROVISIONAL:
            return "leading for now"
        case Vote.ALIVE:
            return "no, it hears the leader"
    if not answer.ok:
        return "yes, it does not hear the leader"
    blind = "" if answer.reaches_nds else ", though it does not reach the NDS"
    return f"yes, and takes over{blind}"


def heard(by: MemberId, whom: MemberId, outcome: Outcome) -> ElectionMoved:
    """What became of `by` asking `whom`."""
    if isinstance(outcome, Elected):
        return ElectionMoved(by, Phase.ANSWERED, spoken(outcome), whom)
    if isinstance(outcome, Refusal) and not absent(outcome):
        return ElectionMoved(by, Phase.ANSWERED, f"refused, {outcome.reason}", whom)
    return ElectionMoved(by, Phase.SILENT, "nobody is there" if absent(outcome) else "", whom)
