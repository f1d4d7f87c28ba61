"""Dialogues about node/core/admission.py: who was let in proves it to whom nobody has told."""

from hashlib import blake2b
from typing import Any

import pytest
from msgspec.structs import replace

from node.core import messages as m
from node.core.admission import PURPOSE, statement
from node.core.effects import Change
from node.core.events import Opened, Received
from node.core.membership import merge
from node.core.reasons import Reason
from node.core.types import Epoch

from .cast import CHAT, EPOCH, FIRST, WALL, identity, person
from .dialogue import Dialogue, follower, leading
from .test_joining import admit

THEIRS = b"certificate of 7"


def signature(by: bytes, said: bytes) -> bytes:
    """As good as a signature, where nobody cheats."""
    return blake2b(said, key=by, digest_size=64).digest()


def verify(by: bytes, signed: bytes, said: bytes) -> bool:
    return signed == signature(by, said)


def den(*others: m.Member, **rest: Any) -> Dialogue:
    signs = {"verify": verify}
    return follower(3, *(others or (person(1), person(2))), leader=1, signs=signs, **rest)


def admitted(member: int = 7, by: int = 1, **rest: Any) -> m.Member:
    """Somebody whom that member has let in; `rest` is put into the record after it signed."""
    said = statement(CHAT, member, identity(member), FIRST)
    record = person(
        member,
        card=m.Card(THEIRS),
        admitted_by=by,
        admission=signature(identity(by), said),
    )
    return replace(record, **rest)


def brings(talk: Dialogue, record: m.Member, certificate: bytes | None = THEIRS) -> Any:
    """The answer to an unknown caller that brings its own record."""
    call = 1_000 + len(talk.log)
    update = m.Update(talk.caller(record.id), m.Roster((record,)))
    talk.hand(Received(call, update, certificate))
    return talk.reply(call)


def test_who_lets_somebody_in_signs_for_which_identity_and_id() -> None:
    signs = {"sign": lambda said: signature(identity(1), said), "verify": verify}
    talk = leading(1, 2, first=50, signs=signs)
    admit(talk, 9)
    record = talk.group.member(50)
    assert record is not None
    assert record.admitted_by == 1
    assert verify(identity(1), record.admission, statement(CHAT, 50, identity(9), EPOCH))
    assert statement(CHAT, 50, identity(9), EPOCH).startswith(PURPOSE)


def test_a_newcomer_is_taken_in_by_who_has_not_heard_of_it() -> None:
    talk = den()
    assert isinstance(brings(talk, admitted()), m.Updated)
    assert talk.changes == [(7, Change.JOINED)]


@pytest.mark.parametrize(
    "record",
    [
        admitted(admission=b""),
        admitted(admission=b"x" * 64),
        admitted(by=8),  # whom nobody knows
        admitted(by=7),  # itself
        admitted(by=0),
        admitted(admitted_by=2),  # another than signed
        admitted(id=6),
        admitted(identity=identity(6)),
        admitted(admitted=Epoch(1, 3)),
        admitted(left=True, card=m.NO_CARD),
    ],
    ids=("none", "noise", "of whom", "own", "nobody's", "another", "id", "who", "epoch", "left"),
)
def test_nobody_else_is(record: m.Member) -> None:
    talk = den()
    refusal = brings(talk, record)
    assert refusal.reason == Reason.UNKNOWN_MEMBER
    assert (talk.group.belonging, talk.changes) == ((1, 2, 3), [])


def test_a_proof_is_no_use_on_anothers_connection() -> None:
    talk = den()
    assert brings(talk, admitted(), b"another's").reason == Reason.WRONG_CERTIFICATE
    assert talk.group.member(7) is None


@pytest.mark.parametrize("gone", [{"left": True}, {"kicked": True}])
def test_who_is_no_member_any_more_lets_nobody_in(gone: dict[str, bool]) -> None:
    talk = den(person(1), person(2, **gone))
    assert brings(talk, admitted(by=2)).reason == Reason.UNKNOWN_MEMBER


def test_one_of_another_chat_is_none_in_this() -> None:
    elsewhere = statement(CHAT + 1, 7, identity(7), FIRST)
    record = admitted(admission=signature(identity(1), elsewhere))
    assert brings(den(), record).reason == Reason.UNKNOWN_MEMBER


def test_where_nothing_is_proved_nothing_is_asked_for() -> None:
    talk = den()
    assert isinstance(brings(talk, person(7), None), m.Updated)
    talk = leading(1, 2, first=50)
    talk.hand(Opened(True, WALL))
    admit(talk, 9)
    assert talk.group.member(50) == replace(talk.group.member(50), admission=b"", admitted_by=0)


def test_who_left_has_no_admission_any_more() -> None:
    """A roster holds all who were ever in."""
    for one, other in [(admitted(), admitted(left=True)), (admitted(left=True), admitted())]:
        record = merge(one, other)
        assert (record.admitted_by, record.admission) == (0, b"")
