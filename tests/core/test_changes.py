"""Tries node/core/changes.py: what becomes of lines, whatever the order in which changes come."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core.changes import Changes
from node.core.conversation import ChatMessage, Erased, Kind, Line, Spot, lines_of
from node.core.types import Key

from .cast import line, stream
from .laws import fixed

SALTED = replace(line(1, 1, "one", more=("two", "three")), salts=bytes(range(48)))
FIRST = Spot(SALTED.key, 0)


def edit(by: int, seq: int, text: str, about: Spot = FIRST, ms: int = 0) -> ChatMessage:
    said = line(by, seq, text, after=(SALTED,), ms=ms or 2_000 + seq, k=2)
    return replace(said, kind=Kind.EDIT, about=about)


def redact(by: int, seq: int, about: Spot = FIRST, ms: int = 0) -> ChatMessage:
    return replace(edit(by, seq, "", about, ms), kind=Kind.REDACT, texts=("",))


# ---- a message without some of its texts ---------------------------------------------------------


def test_what_is_erased_leaves_digest_and_hash_as_they_were() -> None:
    left = SALTED.without((1,))
    assert left.texts == ("one", "", "three")
    assert left.salts == SALTED.salts[:16] + bytes(16) + SALTED.salts[32:]
    assert (left.digest, left.hash, left.ids) == (SALTED.digest, SALTED.hash, SALTED.ids)
    assert [bool(digest) for digest in left.erased] == [False, True, False]
    everything = left.without((0, 1, 2))
    assert everything.texts == ("", "", "")
    assert everything.salts == bytes(48)
    assert everything.digest == SALTED.digest
    assert everything.size == everything.chars == 0


def test_erasing_again_or_what_is_not_there_changes_nothing() -> None:
    left = SALTED.without((1,))
    assert left.without((1,)) is left
    assert SALTED.without((3, 63)) is SALTED
    assert SALTED.without(()) is SALTED


def test_another_digest_in_the_place_of_a_text_is_another_message() -> None:
    left = SALTED.without((1,))
    assert replace(left, erased=(b"", b"d" * 32, b"")).digest != SALTED.digest
    assert replace(left, erased=(b"", left.erased[1], b""), texts=("1", "", "three")).digest != (
        SALTED.digest
    )


def test_which_line_is_changed_is_in_the_digest() -> None:
    one = edit(1, 1, "new")
    assert len({one.digest, replace(one, about=Spot(FIRST.key, 1)).digest}) == 2
    assert len({one.digest, replace(one, about=Spot(line(2).key, 0)).digest}) == 2
    assert len({one.digest, replace(one, heads=(b"h" * 16,)).digest}) == 2


# ---- what follows from changes -------------------------------------------------------------------


def test_an_edit_erases_the_text_before_it_and_stands_in_its_place() -> None:
    changes = Changes()
    new = edit(1, 1, "new")
    assert changes.count(new) == [Erased(FIRST, new.key)]
    known = changes.of(FIRST)
    assert known is not None
    assert (known.edit, known.redacted_by) == (new, 0)
    assert changes.gone(SALTED.key) == {0}
    assert changes.gone(new.key) == set()
    assert changes.erase(SALTED).texts == ("", "two", "three")


def test_of_edits_the_last_one_stands_and_the_others_are_erased() -> None:
    changes = Changes()
    old, new = edit(1, 1, "old"), edit(1, 2, "new")
    changes.count(old)
    assert changes.count(new) == [Erased(FIRST, new.key), Erased(Spot(old.key, 0))]
    late = edit(1, 3, "late", ms=1_500)
    assert changes.count(late) == [Erased(Spot(late.key, 0))]
    known = changes.of(FIRST)
    assert known is not None
    assert known.edit is new


def test_a_redaction_erases_all_texts_of_the_line_and_those_still_to_come() -> None:
    changes = Changes()
    old = edit(1, 1, "old")
    changes.count(old)
    assert changes.count(redact(2, 1)) == [Erased(FIRST), Erased(Spot(old.key, 0))]
    new = edit(1, 2, "new")
    assert changes.count(new) == [Erased(Spot(new.key, 0))]
    known = changes.of(FIRST)
    assert known is not None
    assert (known.edit, known.redacted_by) == (None, 2)
    assert changes.count(redact(3, 1)) == []


def test_a_change_of_a_change_is_none_whichever_comes_first() -> None:
    for order in (1, -1):
        changes = Changes()
        old = edit(1, 1, "old")
        about = redact(2, 1, Spot(old.key, 0))
        for change in (old, about)[::order]:
            changes.count(change)
        assert changes.gone(old.key) == set()
        known = changes.of(FIRST)
        assert known is not None
        assert known.edit is old
        assert changes.erase(old) is old


def test_an_edit_without_the_right_loses_its_text_and_a_redaction_has_none() -> None:
    changes = Changes()
    wrong = edit(2, 1, "wrong")
    assert changes.refuse(wrong) == [Erased(Spot(wrong.key, 0))]
    assert changes.refuse(redact(3, 1)) == []
    assert changes.of(FIRST) is None
    assert changes.erase(SALTED) is SALTED


def test_what_came_erased_is_doubted_until_a_change_says_why() -> None:
    changes = Changes()
    changes.doubt(SALTED.without((0, 2)))
    assert changes.doubted == {SALTED.key: {0, 2}}
    changes.count(redact(1, 1))
    assert changes.doubted == {SALTED.key: {2}}
    changes.doubt(SALTED.without((0,)))
    assert changes.doubted == {}
    changes.doubt(SALTED.without((2,)))
    changes.count(redact(1, 2, Spot(SALTED.key, 2)))
    assert changes.doubted == {}


def test_a_change_that_never_was_leaves_what_the_others_did() -> None:
    changes = Changes()
    old, new, second = edit(1, 1, "old"), edit(1, 2, "new"), Spot(SALTED.key, 1)
    other = edit(1, 3, "other", second)
    for change in (old, new, other):
        changes.count(change)
    left = [Erased(FIRST, old.key), Erased(second, other.key)]
    assert changes.recant(new.key) == (FIRST, left, [Spot(old.key, 0)])
    known, elsewhere = changes.of(FIRST), changes.of(second)
    assert known is not None
    assert known.edit == old.without((0,))
    assert elsewhere is not None
    assert elsewhere.edit is other, "with its text"
    assert not changes.is_change(new.key)
    assert changes.recant(old.key) == (FIRST, [Erased(second, other.key)], [FIRST])
    assert changes.gone(SALTED.key) == {1}


def test_one_without_the_right_that_never_was_leaves_nothing() -> None:
    changes = Changes()
    wrong = edit(2, 1, "wrong")
    changes.refuse(wrong)
    assert changes.recant(wrong.key) == (None, [], [])
    assert changes.gone(wrong.key) == set()
    assert changes.erase(wrong) is wrong


def test_nothing_is_remembered_of_what_was_trimmed() -> None:
    changes = Changes()
    old = edit(1, 1, "old")
    changes.count(old)
    changes.doubt(SALTED.without((1,)))
    changes.trimmed((Key(1, stream(2), 9),))
    assert changes.of(FIRST) is None
    assert not changes.erase_any
    assert changes.doubted == {}
    assert not changes.is_change(old.key)
    assert not changes._about
    changes.count(old)
    changes.trimmed((Key(2, stream(9), 9), Key(1, stream(0), 9)))
    assert changes.of(FIRST) is not None


# ---- laws ----------------------------------------------------------------------------------------

LINES = [replace(line(n, 1, f"said by {n}"), salts=bytes(16)) for n in (1, 2)]


@st.composite
def talks(draw: st.DrawFn) -> tuple[list[ChatMessage], list[ChatMessage]]:
    """Two lines and changes of them, or of changes, in two orders."""
    said = list(LINES)
    for seq in range(1, 1 + draw(st.integers(0, 8))):
        about = Spot(draw(st.sampled_from(said)).key, 0)
        make = draw(st.sampled_from([edit, redact]))
        by, ms = draw(st.integers(1, 3)), draw(st.integers(2_000, 2_003))
        text = f"text {seq}"
        said.append(edit(by, seq, text, about, ms) if make is edit else redact(by, seq, about, ms))
    return draw(st.permutations(said)), draw(st.permutations(said))


def view(said: list[ChatMessage]) -> tuple[dict[Key, ChatMessage], dict[Spot, tuple[str, int]]]:
    """What a log holds in the end, and what people see, when these come in this order."""
    changes, log = Changes(), dict[Key, ChatMessage]()
    for message in said:
        log[message.key] = changes.erase(message)
        if not message.is_said:
            for (key, at), _ in changes.count(message):
                if key in log:
                    log[key] = log[key].without((at,))
    shown = {}
    for one in [said for message in LINES for said in lines_of(log[message.key])]:
        known = changes.of(one.spot)
        edit = known.edit if known is not None else None
        now = Line(one.message, one.at, log[edit.key] if edit is not None else None)
        shown[one.spot] = now.text, known.redacted_by if known is not None else 0
    return log, shown


@given(talks())
@fixed
def test_in_whatever_order_changes_come_everybody_ends_with_the_same(
    orders: tuple[list[ChatMessage], list[ChatMessage]],
) -> None:
    assert view(orders[0]) == view(orders[1])


@given(talks())
@fixed
def test_there_is_at_most_one_text_for_a_line_and_none_for_a_redacted_one(
    orders: tuple[list[ChatMessage], list[ChatMessage]],
) -> None:
    log, shown = view(orders[0])
    changes = {key for key, message in log.items() if not message.is_said}
    for spot, (text, redacted_by) in shown.items():
        about = [m for m in log.values() if m.about == spot]
        texts = [m.texts[0] for m in (*about, log[spot.key]) if m.texts[0]]
        assert texts == ([text] if text else [])
        rightly = [m for m in about if m.kind is Kind.REDACT]
        assert bool(rightly) == bool(redacted_by) == (not text)
        assert spot.key not in changes


@given(talks())
@fixed
def test_what_was_erased_never_comes_back(
    orders: tuple[list[ChatMessage], list[ChatMessage]],
) -> None:
    changes, erased = Changes(), set[Spot]()
    for message in orders[0]:
        if not message.is_said:
            for spot, _ in changes.count(message):
                erased.add(spot)
            real = {spot for spot in erased if not changes.is_change(spot.key)}
            assert all(spot.at in changes.gone(spot.key) for spot in real)
