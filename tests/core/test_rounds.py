"""Tries node/core/rounds.py."""

import pytest

from node.core import rounds
from node.core.calls import Outcome
from node.core.effects import ElectionMoved, Phase
from node.core.messages import Elected, Refusal, View, Vote
from node.core.reasons import Reason
from node.core.types import Epoch, Silence

VIEW = View(Epoch(1, 5), 1, "", 0, 0, 0, 0, 0, 0)


def vote(vote: Vote, ok: bool = False, nds: bool = True) -> Elected:
    return Elected(ok, nds, vote, VIEW)


def test_a_round_says_why_it_is_held() -> None:
    assert rounds.why(1) == "leader silent"
    assert rounds.why(0) == "no leader is known"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (vote(Vote.LEADING), "leading"),
        (vote(Vote.PROVISIONAL, ok=True), "leading for now"),
        (vote(Vote.ALIVE, ok=True), "no, it hears the leader"),
        (vote(Vote.UNREACHABLE), "yes, it does not hear the leader"),
        (vote(Vote.UNREACHABLE, nds=False), "yes, it does not hear the leader"),
        (vote(Vote.UNREACHABLE, ok=True), "yes, and takes over"),
        (
            vote(Vote.UNREACHABLE, ok=True, nds=False),
            "yes, and takes over, though it does not reach the NDS",
        ),
    ],
)
def test_votes_are_said_in_words(answer: Elected, said: str) -> None:
    assert rounds.spoken(answer) == said


@pytest.mark.parametrize(
    ("outcome", "phase", "detail"),
    [
        (vote(Vote.LEADING), Phase.ANSWERED, "leading"),
        (Refusal(Reason.OLD_INCARNATION), Phase.ANSWERED, "refused, OLD_INCARNATION"),
        (Refusal(Reason.UNKNOWN_CHAT), Phase.SILENT, "nobody is there"),
        (Silence.REFUSED, Phase.SILENT, "nobody is there"),
        (Silence.SILENT, Phase.SILENT, ""),
    ],
)
def test_what_became_of_a_question_is_told(outcome: Outcome, phase: Phase, detail: str) -> None:
    assert rounds.heard(3, 2, outcome) == ElectionMoved(3, phase, detail, 2)
