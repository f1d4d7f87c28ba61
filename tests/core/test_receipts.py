"""Tries node/core/receipts.py: who has stored a line that another has brought says so itself."""

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.messages import Receipt, Told
from node.core.receipts import PURPOSE, is_own_word, statement
from node.core.timing import LAN
from node.core.types import Floor, Key, Stream

from .cast import CHAT
from .dialogue import Dialogue, follower
from .test_vouching import LINE, SIGNS, signer

KEY = Key(3, Stream(100, 7), 9)


def told_past() -> tuple[Dialogue, m.Tell]:
    """Member 2 is silent, and 1 is asked to tell it a line of 3."""
    talk = follower(3, 1, 2, signs=SIGNS)
    said = talk.says("hello")
    talk.answer(m.Tell, Told(Receipt.STORED, said.id, 1), to=1)
    talk.fail(m.Tell, to=2)
    (tell,) = talk.sent(m.Tell, to=1)
    assert tell.to == 2
    return talk, tell


def test_what_is_signed_names_the_chat_the_member_and_the_messages() -> None:
    assert statement(5, 2, [KEY, KEY._replace(seq=10)]) == PURPOSE + b"5|2|3.100.7.9|3.100.7.10"


@pytest.mark.parametrize("word", ["nobody's", "the relay's", "another line's", "another chat's"])
def test_a_relay_s_word_is_no_acknowledgement_of_another(word: str) -> None:
    talk, tell = told_past()
    key = tell.messages[0].key
    words = {
        "nobody's": b"",
        "the relay's": signer(1)(statement(CHAT, 2, [key])),
        "another line's": signer(2)(statement(CHAT, 2, [key._replace(seq=9)])),
        "another chat's": signer(2)(statement(CHAT + 1, 2, [key])),
    }
    talk.answer(m.Tell, Told(Receipt.STORED, tell.messages[0].id, 2, words[word]), to=1)
    assert talk.of(e.Acknowledged) == []


def test_what_a_target_does_not_sign_for_is_told_it_directly_next() -> None:
    """It may count it as trimmed, and takes it from its author alone."""
    talk = follower(3, 1, 2, signs=SIGNS)
    talk.hold(m.Ping)
    said = talk.says("hello")
    talk.answer(m.Tell, Told(Receipt.STORED, said.id, 1), to=1)
    talk.fail(m.Tell, to=2)
    talk.answer(m.Tell, Told(Receipt.STORED, said.id, 2), to=1)
    talk.wait_for(m.Tell)
    assert talk.callees(m.Tell)[-1:] == [2]
    assert talk.now < LAN.relay_ms


def test_the_target_s_own_word_is_one() -> None:
    talk, tell = told_past()
    right = signer(2)(statement(CHAT, 2, [tell.messages[0].key]))
    talk.answer(m.Tell, Told(Receipt.STORED, tell.messages[0].id, 2, right), to=1)
    assert talk.one(e.Acknowledged).by == 2


def test_who_is_told_by_another_signs_that() -> None:
    talk = follower(3, 1, 2, signs=SIGNS)
    said = Told(Receipt.STORED, LINE.id, 3)
    assert talk.hears(m.Tell(talk.caller(2), 3, (LINE,))) == said, "to its author it need not"
    word = signer(3)(statement(CHAT, 3, [LINE.key]))
    assert talk.hears(m.Tell(talk.caller(1), 3, (LINE,))) == replace(said, word=word)


def test_a_relay_hands_the_word_on() -> None:
    talk = follower(3, 1, 2, signs=SIGNS)
    talk.hears(m.Tell(talk.caller(2), 1, (LINE,)))
    talk.answer(m.Tell, Told(Receipt.STORED, LINE.id, 1, b"its word"), to=1)
    assert talk.reply() == Told(Receipt.STORED, LINE.id, 1, b"its word")


def test_in_a_large_group_nobody_has_the_time() -> None:
    many = range(4, LAN.spread_above + 5)
    talk = follower(3, 1, 2, *many, signs=SIGNS)
    answer = talk.hears(m.Tell(talk.caller(1), 3, (LINE,)))
    assert answer == Told(Receipt.STORED, LINE.id, 3)
    assert is_own_word(talk.group._s, Told(Receipt.STORED, LINE.id, 2), (LINE,))


def test_a_word_for_the_last_line_is_none_for_those_before_it() -> None:
    talk, tell = told_past()
    first, last = tell.messages[0], talk.says("and")

    def counts(upto: str, *keys: Key) -> bool:
        word = signer(2)(statement(CHAT, 2, keys))
        return is_own_word(talk.group._s, Told(Receipt.STORED, upto, 2, word), (first, last))

    assert not counts(last.id, last.key)
    assert not counts(last.id, first.key)
    assert counts(last.id, first.key, last.key)
    assert counts(first.id, first.key)
    assert not counts("nobody's", first.key, last.key)


def test_who_was_told_lines_without_their_texts_does_not_sign_for_them() -> None:
    talk = follower(3, 1, 2, signs=SIGNS)
    told = talk.hears(m.Tell(talk.caller(1), 3, (LINE.without((0,)),)))
    assert told == Told(Receipt.STORED, LINE.id, 3)
    whole = talk.hears(m.Tell(talk.caller(1), 3, (LINE,)))
    assert whole.word == signer(3)(statement(CHAT, 3, [LINE.key]))


def test_what_is_only_counted_as_trimmed_is_not_signed() -> None:
    above = Floor(LINE.key.source, LINE.key.stream, LINE.key.seq + 9, 5)
    talk = follower(3, 1, 2, signs=SIGNS, floors=(above,))
    assert talk.hears(m.Tell(talk.caller(1), 3, (LINE,))) == Told(Receipt.STORED, LINE.id, 3)
    assert talk.of(e.StoreMessages) == []
