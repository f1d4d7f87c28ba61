"""Dialogues about node/core/vouching.py: what its author has not signed is taken from nobody.

In the den are 1, who leads, 2 and we, 3; everybody's signature is a hash with its identity.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.conversation import ChatMessage, Kind, statement
from node.core.deciding import Act, Decision
from node.core.events import Burst, Started, Submitted
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Epoch, Floor, Hlc, Key, Post, Stream, Way

from .cast import CHAT, WALL, identity, let_in, line, person, removal, stream
from .dialogue import Dialogue, follower, returning


def signer(member: int) -> Callable[[bytes], bytes]:
    return lambda said: blake2b(said, key=identity(member), digest_size=64).digest()


def is_signed(who: bytes, signature: bytes, said: bytes) -> bool:
    return blake2b(said, key=who, digest_size=64).digest() == signature


def signed(message: ChatMessage, by: int = 0, chat: int = CHAT) -> ChatMessage:
    """By its author, in the den, unless said otherwise."""
    sign = signer(by or message.key.source)
    return replace(message, signature=sign(statement(chat, message)))


SIGNS: dict[str, Any] = {"sign": signer(3), "verify": is_signed}
LINE = signed(line(2, 1, "one", more=("two",)))


def den(*others: m.Member, **rest: Any) -> Dialogue:
    return follower(3, 1, 2, *others, signs=SIGNS, **rest)


def told(talk: Dialogue, *messages: ChatMessage, by: int = 0, to: int = 3) -> Any:
    answer = talk.hears(m.Tell(talk.caller(by or messages[0].key.source), to, messages))
    return replace(answer, word=b"") if isinstance(answer, m.Told) else answer


def test_what_its_author_has_signed_is_taken_from_anybody() -> None:
    for by in (1, 2):
        talk = den()
        assert told(talk, LINE, by=by) == m.Told(m.Receipt.STORED, LINE.id, 3)
        assert talk.shown == ["one", "two"]


OTHER = Key(2, Stream(100, 1), 2)


@pytest.mark.parametrize(
    "change",
    [
        {"texts": ("one", "three")},
        {"texts": ("one",), "ids": LINE.ids[:1], "salts": LINE.salts[:16]},
        {"ids": LINE.ids[::-1]},
        {"texts": LINE.texts[::-1]},
        {"key": OTHER},
        {"key": LINE.key._replace(stream=stream(2))},
        {"key": LINE.key._replace(source=1)},
        {"hlc": Hlc(2_000, 0)},
        {"sent": WALL + 1},
        {"epoch": Epoch(1, 4)},
        {"kind": Kind.ACTION},
        {"deps": (Key(1, stream(), 1),)},
        {"salts": b"1" * 32},
        {"signature": b""},
        {"signature": b"s" * 64},
    ],
    ids=str,
)
def test_what_was_altered_is_refused_and_changes_nothing(change: dict[str, Any]) -> None:
    talk = den()
    before = talk.group.history_hash
    refusal = told(talk, replace(LINE, **change), by=1)
    assert refusal.reason == Reason.WRONG_SIGNATURE
    assert talk.of(e.StoreMessages) == talk.of(e.Deliver) == []
    assert talk.group.history_hash == before
    assert told(talk, LINE, by=1) == m.Told(m.Receipt.STORED, LINE.id, 3)


@pytest.mark.parametrize("forged", [signed(line(2), by=1), signed(line(2), chat=CHAT + 1)])
def test_another_s_signature_and_one_for_another_chat_are_none(forged: ChatMessage) -> None:
    assert told(den(), forged).reason == Reason.WRONG_SIGNATURE


def test_who_hands_on_what_is_forged_is_told_once_and_counted_each_time() -> None:
    talk = den()
    for n in (1, 2):
        told(talk, line(2, n), by=1)
        assert talk.of(e.Forged) == [e.Forged(1, 2)][: 2 - n]
        assert talk.of(e.Dropped) == [e.Dropped("a message that its author has not signed")]
    told(talk, line(2, 3), by=2)
    assert talk.one(e.Forged) == e.Forged(2, 2)
    assert talk.group.drops["a message that its author has not signed"] == 3


def test_of_several_those_before_the_forged_one_are_stored() -> None:
    talk = den()
    run = [signed(line(2, n)) for n in (1, 2, 3)]
    reply = told(talk, run[0], line(2, 2), run[2])
    assert reply == m.Told(m.Receipt.STORED, run[0].id, 3)
    assert talk.shown == ["2.1"]
    assert told(talk, *run) == m.Told(m.Receipt.STORED, run[2].id, 3)
    assert talk.shown == ["2.1", "2.2", "2.3"]


def test_what_is_forged_is_not_passed_on() -> None:
    talk = den(person(4))
    assert told(talk, line(2), to=4).reason == Reason.WRONG_SIGNATURE
    assert talk.callees(m.Tell) == []


def test_an_author_who_is_not_known_is_asked_after_where_the_message_came_from() -> None:
    talk = den()
    news = signed(line(9))
    talk.hold(m.Update)
    assert told(talk, news, by=1).reason == Reason.UNKNOWN_AUTHOR
    assert talk.callees(m.Update) == [1]
    assert talk.of(e.StoreMessages) == []
    talk.hears(m.Update(talk.caller(1), m.Roster((let_in(9),))))
    assert told(talk, news, by=1) == m.Told(m.Receipt.STORED, news.id, 3)


def test_who_has_left_has_signed_what_it_said() -> None:
    talk = den(person(4, left=True))
    assert told(talk, signed(line(4)), by=1).receipt is m.Receipt.STORED
    assert told(talk, line(4, 2), by=1).reason == Reason.WRONG_SIGNATURE


def test_what_is_held_is_acknowledged_again_without_another_look() -> None:
    looks: list[bytes] = []

    def verify(*proof: bytes) -> bool:
        looks.append(proof[2])
        return is_signed(*proof)

    talk = follower(3, 1, 2, signs={"verify": verify})
    told(talk, LINE)
    told(talk, LINE)
    assert told(talk, replace(LINE, signature=b""), by=1).receipt is m.Receipt.STORED
    assert looks == [statement(CHAT, LINE)]


def test_another_content_stands_only_if_it_is_signed() -> None:
    low, high = sorted((line(2, 1, "this"), line(2, 1, "that")), key=lambda one: one.hash)
    talk = den()
    told(talk, signed(high))
    assert told(talk, low, by=1).reason == Reason.WRONG_SIGNATURE
    assert talk.group._s.history.same(high)
    assert told(talk, signed(low), by=1).receipt is m.Receipt.STORED
    assert talk.group._s.history.same(low)


# ---- catch-up ------------------------------------------------------------------------------------


def fetched(talk: Dialogue, *messages: ChatMessage) -> None:
    """Member 2 gives these as what we lack."""
    talk.wait(LAN.t1_ms - 100)
    talk.hold(m.Sync)
    talk.hears(m.Ping(talk.caller(2), talk.view(2, history_hash=77)))
    talk.wait_for(m.Sync, to=2)
    authors = tuple(sorted({message.key.source for message in messages}))
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=authors), to=2)
    talk.answer(m.Sync, m.Synced(talk.view(2), messages=messages), to=2)


def test_of_a_page_all_but_the_forged_ones_are_taken() -> None:
    talk = den()
    fetched(talk, signed(line(1, more=("more",))), line(2, 1), signed(line(1, 2)))
    assert talk.shown == ["1.1", "more", "1.2"]
    assert talk.one(e.Forged) == e.Forged(2, 2)
    assert talk.one(e.Merged).count == 3, "lines"


def test_a_page_whose_author_is_not_known_yet_is_asked_for_again() -> None:
    talk = den()
    talk.hold(m.Update)
    fetched(talk, signed(line(9)))
    assert talk.shown == []
    talk.hears(m.Update(talk.caller(2), m.Roster((person(9),))))
    talk.wait_for(m.Sync, to=2)


# ---- our own -------------------------------------------------------------------------------------


def test_own_lines_go_out_signed_and_salted() -> None:
    talk = follower(3, 1, 2, signs={**SIGNS, "draw": lambda count: b"%d" % count * 8})
    talk.hand(Burst((Submitted("a", "a", WALL), Submitted("b", "b", WALL))))
    (said,) = talk.one(e.StoreMessages).messages
    assert is_signed(identity(3), said.signature, statement(CHAT, said))
    assert said.salts == b"32" * 8
    assert talk.call(m.Tell, 1).request.messages[0].signature == said.signature


# ---- logs of before messages were signed ---------------------------------------------------------

OLD = [line(1, 1), line(2, 1), line(3, 1), line(3, 2)]
FLOORS = [Floor(1, stream(), 1, 5), Floor(2, stream(), 1, 6), Floor(3, stream(), 1, 7)]
WAITING = Post(OLD[3].key, (1, 2), (1,), settled=False)


def old() -> list[ChatMessage]:
    """Copies, which may be signed."""
    return [replace(one) for one in OLD]


def old_log() -> Dialogue:
    return returning(3, 1, 2, leader=1, signs=SIGNS, messages=old(), floors=FLOORS, posts=[WAITING])


def test_own_lines_that_somebody_lacks_are_signed_at_the_start() -> None:
    talk = old_log()
    talk.hand(Started(WALL))
    (stored,) = talk.one(e.StoreMessages).messages
    assert (stored.key, stored.texts) == (OLD[3].key, OLD[3].texts)
    assert is_signed(identity(3), stored.signature, statement(CHAT, stored))
    assert talk.call(m.Tell, 2).request.messages == (stored,)


def test_own_lines_that_somebody_gets_later_are_signed_too() -> None:
    later = replace(WAITING, settled=True)
    talk = returning(3, 1, 2, leader=1, signs=SIGNS, messages=old(), floors=FLOORS, posts=[later])
    talk.hand(Started(WALL))
    (stored,) = talk.one(e.StoreMessages).messages
    assert stored.key == OLD[3].key
    answer = talk.hears(m.Sync(talk.caller(2), talk.view(2), sources=(3,)))
    assert answer.keys == (OLD[3].key,)


def test_what_nobody_has_signed_is_given_to_nobody() -> None:
    talk = old_log()
    talk.hand(Started(WALL))
    for newest in (True, False):
        answer = talk.hears(
            m.Sync(talk.caller(2), talk.view(2), sources=(1, 2, 3), newest_first=newest)
        )
        assert answer.keys == (OLD[3].key,)
        assert set(answer.reply.floors) == set(FLOORS)


def test_without_signatures_nothing_is_asked_of_anybody() -> None:
    talk = follower(3, 1, 2)
    assert told(talk, line(2)).receipt is m.Receipt.STORED
    assert told(talk, line(9), by=1).receipt is m.Receipt.STORED
    assert [s.way for _, s in talk.log if isinstance(s, e.Deliver)] == [Way.DIRECT, Way.RELAY]


# ---- decisions that its author knew of -----------------------------------------------------------

DIGEST = "a1ffd06424df977da66b49ded944de5ada93b4caaed050f1cd2623d1ac39bfbc"  # before there were any
OP2 = removal(2, act=Act.OP)
KICK4 = removal(4, by=2, hlc=Hlc(2, 0), after=(OP2.id,))


def decisive() -> Dialogue:
    """Here nobody looks at signatures, but at all else."""
    return follower(3, 1, 2, 4)


def knows(talk: Dialogue, *decisions: Decision, by: int = 2) -> None:
    talk.hears(m.Update(talk.caller(by), m.Roster(decisions=decisions)))


def after(source: int, *heads: Decision) -> ChatMessage:
    return replace(line(source), heads=tuple(sorted(one.id for one in heads)))


def test_what_follows_a_decision_waits_until_that_is_known_and_asks_for_it() -> None:
    talk = decisive()
    said = after(2, KICK4)
    assert told(talk, said).reason == Reason.UNKNOWN_DECISION
    assert talk.of(e.StoreMessages) == []
    (asked,) = talk.sent(m.Update, to=2)
    assert asked.want_roster
    knows(talk, OP2, KICK4)
    assert told(talk, said) == m.Told(m.Receipt.STORED, said.id, 3)


def test_what_others_catch_up_with_waits_for_it_too() -> None:
    talk = decisive()
    talk.hold(m.Sync)
    talk.hears(m.Ping(talk.caller(2), talk.view(2, history_hash=9)))
    talk.wait_for(m.Sync, 2)
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(2,)))
    talk.answer(m.Sync, m.Synced(talk.view(2), messages=(after(2, KICK4),)))
    assert talk.shown == []
    knows(talk, OP2, KICK4)
    talk.wait_for(m.Sync, 2)
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(2,)))
    talk.answer(m.Sync, m.Synced(talk.view(2), messages=(after(2, KICK4),)))
    assert talk.shown == ["2.1"]


def test_what_somebody_said_before_it_knew_that_it_was_removed_is_taken_from_members() -> None:
    talk = decisive()
    knows(talk, OP2, KICK4)
    assert told(talk, after(4)).reason == Reason.KICKED
    assert told(talk, after(4), by=2) == m.Told(m.Receipt.STORED, line(4).id, 3)


def test_what_somebody_says_who_knows_that_it_was_removed_is_taken_from_nobody() -> None:
    talk = decisive()
    knows(talk, OP2, KICK4)
    assert told(talk, after(4, KICK4), by=2).reason == Reason.REMOVED_AUTHOR
    assert talk.group.drops["a message by somebody who knew that it was removed"] == 1
    assert talk.shown == []


def test_what_is_said_names_the_last_decisions_and_nothing_where_there_are_none() -> None:
    talk = decisive()
    assert talk.says("before").heads == ()
    knows(talk, OP2)
    assert talk.says("after").heads == (OP2.id,)
    knows(talk, KICK4)
    assert talk.says("later").heads == (KICK4.id,)


def test_the_digest_covers_them_and_is_as_it_was_where_there_are_none() -> None:
    plain = line(2, 1, "hello")
    assert plain.digest.hex() == DIGEST
    digests = {replace(plain, heads=heads).digest for heads in ((), (OP2.id,), (KICK4.id,))}
    assert len(digests) == 3
