"""A member, with its own key, puts words into others' mouths, or bends what they said."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from node.core import messages as m
from node.core.conversation import ChatMessage, Kind, statement
from node.core.types import Epoch, Hlc, Stream, small
from tests.attacks.site import CHAT, Refused, Site

pytestmark = pytest.mark.xdist_group("attacks")

NOT_SIGNED = Refused("PERMISSION_DENIED", "WRONG_SIGNATURE")


@pytest.fixture
def said(site: Site) -> ChatMessage:
    """What alice has really said, as any member can read it."""
    site.cluster["alice"].run("send", "-c", CHAT, "alice said so")
    asks = m.Sync(site.caller("carol", site.id["bob"]), site.view, sources=(site.id["alice"],))
    answer = site.carol_asks(asks, site.seals("carol"))
    assert isinstance(answer, m.Synced), answer
    return next(one for one in answer.messages if one.texts == ("alice said so",))


def told(site: Site, message: ChatMessage, to: str = "bob") -> m.Reply | Refused:
    """Carol hands that on."""
    tell = m.Tell(site.caller("carol", site.id["bob"]), site.id[to], (message,))
    return site.carol_asks(tell, site.seals("carol"))  # type: ignore[no-any-return]


def signed(site: Site, message: ChatMessage, chat: int) -> bytes:
    """By carol, whoever the author is to be."""
    return site.keys["carol"].signing.sign(statement(chat, message))


def next_one(message: ChatMessage) -> ChatMessage:
    """The same once more, after it."""
    key = message.key._replace(seq=message.key.seq + 1)
    return replace(message, key=key, ids=(("f" if message.id[0] == "e" else "e") + message.id[1:],))


def longer(message: ChatMessage) -> ChatMessage:
    """With a further line."""
    other = "f" if message.id[0] == "e" else "e"
    ids, texts = (message.id, other + message.id[1:]), (*message.texts, "and more")
    return replace(next_one(message), ids=ids, texts=texts, salts=message.salts * 2)


def elsewhere(message: ChatMessage) -> ChatMessage:
    return replace(message, key=message.key._replace(stream=Stream(2**41, 9), seq=1))


BENT: dict[str, Callable[[ChatMessage], ChatMessage]] = {
    "another text": lambda one: replace(next_one(one), texts=("alice did not",)),
    "a further line": longer,
    "another number": next_one,
    "another stream": elsewhere,
    "another instant": lambda one: replace(next_one(one), hlc=Hlc(one.hlc.ms + 60_000, 0)),
    "another day": lambda one: replace(next_one(one), sent=1),
    "another epoch": lambda one: replace(next_one(one), epoch=Epoch(one.epoch.generation, 99)),
    "another kind": lambda one: replace(next_one(one), kind=Kind.ACTION),
    "an answer to something else": lambda one: replace(next_one(one), deps=(one.key,)),
    "no signature": lambda one: replace(next_one(one), signature=b""),
    "any signature": lambda one: replace(next_one(one), signature=bytes(64)),
}


@pytest.mark.parametrize("bend", BENT)
@pytest.mark.parametrize("to", ["bob", "alice"])
def test_what_another_said_cannot_be_bent(
    site: Site, said: ChatMessage, bend: str, to: str
) -> None:
    """Neither for who is told it, nor to be passed on by it."""
    with site.unharmed():
        assert told(site, BENT[bend](said), to) == NOT_SIGNED


def test_it_cannot_be_signed_by_another(site: Site, said: ChatMessage) -> None:
    fresh = next_one(said)
    with site.unharmed():
        assert told(site, replace(fresh, signature=signed(site, fresh, site.chat))) == NOT_SIGNED


def test_what_was_signed_for_another_chat_is_not_taken(site: Site) -> None:
    """In its own name, even."""
    mine = site.line(site.id["carol"])
    with site.unharmed():
        assert told(site, replace(mine, signature=signed(site, mine, site.chat + 1))) == NOT_SIGNED


def test_words_of_somebody_who_never_was_are_not_taken(site: Site) -> None:
    nobody = site.line(site.id["carol"] + 1_000)
    mine = replace(nobody, signature=signed(site, nobody, site.chat))
    with site.unharmed():
        assert told(site, mine) == Refused("FAILED_PRECONDITION", "UNKNOWN_AUTHOR")


def test_who_does_so_is_shown_to_people_once(site: Site, said: ChatMessage) -> None:
    fresh = BENT["another text"](said)
    for n in range(3):
        assert told(site, replace(fresh, texts=(f"alice did not {n}",))) == NOT_SIGNED
    by, source = (small(site.id[name]) for name in ("carol", "alice"))
    log = site.cluster["bob"].logs()[0].read_text("utf-8")
    assert log.count(f"{by} handed on what {source} has not signed") == 1
    assert log.count("dropped a message that its author has not signed") >= 3
