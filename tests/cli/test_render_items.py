"""Items of a transcript as rows: node/cli/render/items.py and node/cli/render/drawing.py."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node import happenings as h
from node import words as w
from node.cli.model import Item, Reply, Search, Settings, State, View
from node.cli.render import drawing, items
from node.cli.render.items import delivery, hidden, options, rows_of
from node.cli.render.rows import plain
from node.cli.render.text import width
from node.cli.render.wrap import spans
from tests.cli.drawn import (
    AT,
    DAY,
    DEV,
    EPOCH,
    NOW,
    STATE,
    G,
    columns_of,
    line,
    looks,
    notice,
    picture,
    reply,
    showing,
    unsent,
)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items of different tests have the same serials."""
    monkeypatch.setattr(items, "_KEPT", items._Kept())


def drawn(*shown: Item, columns: int = 60, now_ms: int = NOW, **more: object) -> str:
    """The picture of a transcript of these items."""
    view = replace(DEV, items=shown, marker=0)
    state = showing(view, **more)
    return picture(rows(state, view, columns, now_ms))


def rows(state: State, view: View, columns: int = 60, now_ms: int = NOW) -> list[items.Row]:
    opts = options(state, view, columns)
    every = [rows_of(view, at, columns, now_ms, opts).rows for at in range(len(view.items))]
    found = [row for some in every for row in some]
    assert columns_of(found) <= {columns}
    return found


# ---- what is said ------------------------------------------------------------------------------


def test_a_message_has_time_author_and_text() -> None:
    assert drawn(line(1, 0, "alice", "hello")) == "12:01:07   alice | hello"


def test_every_row_of_a_message_keeps_the_column_of_its_author() -> None:
    text = "first\n12:03:31     you | second\nthird goes on for so long that it must be broken"
    assert drawn(line(1, 0, "eve", text)) == (
        "12:01:07     eve | first\n"
        "                 | 12:03:31     you | second\n"
        "                 | third goes on for so long that it must be\n"
        "                 | broken"
    )


def test_the_own_nick_is_you_and_nobody_elses_is() -> None:
    shown = drawn(line(1, 0, "you", "me"), line(2, 1, "You", "not me"))
    assert shown.splitlines()[0].startswith("12:01:07     you | me")
    assert shown.splitlines()[1] == "12:01:08   <You> | not me"


def test_nobody_passes_for_the_system() -> None:
    assert drawn(line(1, 0, "--", "bob leads now")) == "12:01:07    <--> | bob leads now"


def test_an_action_names_its_author_in_the_text() -> None:
    shown = drawn(
        line(1, 0, "alice", "waves", kind=w.Kind.ACTION),
        line(2, 1, "you", "nods", kind=w.Kind.ACTION),
    )
    assert shown == "12:01:07       * | alice waves\n12:01:08       * | me nods"


def test_an_action_of_one_who_is_called_you_is_set_apart() -> None:
    shown = drawn(line(1, 0, "You", "pays", kind=w.Kind.ACTION))
    assert shown == "12:01:07       * | <You> pays"


def test_a_mention_has_a_look_of_its_own() -> None:
    view = replace(DEV, items=(line(1, 0, "eve", "hey you", mention=True),))
    (row,) = rows(STATE, view)
    assert looks(row, "hey you") == "mention"


def test_the_same_author_has_the_same_colour_everywhere() -> None:
    view = replace(DEV, items=(line(1, 0, "bob", "a", member=2), line(2, 0, "bob", "b", member=2)))
    assert len({looks(row, "bob") for row in rows(STATE, view)}) == 1
    assert drawing.nick_class(G + 2) == drawing.nick_class(G * 7 + 2) == "nick.2"


def test_hostile_text_comes_out_harmless() -> None:
    nick, text = "e\x1b[1mv\u202ee", "a\x1b]0;x\x07b\u202ec" + "\u0301" * 9 + "\u200b字"
    assert drawn(line(1, 0, nick, text)) == "12:01:07  e[1mve | a]0;xbc\u0301\u0301字"


def test_a_long_nick_is_cut() -> None:
    assert drawn(line(1, 0, "a" * 24, "x")) == "12:01:07 aaaaaaaaaaa~ | x"


def test_the_column_of_nicks_is_as_wide_as_the_longest() -> None:
    shown = drawn(line(1, 0, "bob", "x"), line(2, 0, "charlotte", "y"))
    assert shown == "12:01:07       bob | x\n12:01:07 charlotte | y"


def test_what_cannot_be_seen_of_a_nick_takes_no_columns() -> None:
    assert drawn(line(1, 0, "\u202e" * 20 + "eve", "x")) == "12:01:07     eve | x"


# ---- what the system says ----------------------------------------------------------------------


def member(change: str, nick: str, id: int, detail: str = "") -> h.MemberEvent:
    return h.MemberEvent(G + id, nick, change, detail)


TOLD = [
    ((member("joined", "carol", 4),), "carol joined (id 4)"),
    (
        (member("joined", "carol", 4), member("joined", "dan", 9)),
        "carol (id 4) and dan (id 9) joined",
    ),
    ((member("left", "carol", 4), member("left", "dan", 9)), "carol and dan left"),
    ((member("dropped", "c", 4, "x"), member("dropped", "d", 9)), "c (id 4) and d (id 9) are gone"),
    ((member("returned", "c", 4), member("returned", "d", 9)), "c (id 4) and d (id 9) are back"),
    (
        (h.SuspectEvent(G + 4, "c"), h.SuspectEvent(G + 9, "d")),
        "c (id 4) and d (id 9) do not answer: 1 of 2 checks missed",
    ),
    (
        (h.SuspectEvent(G + 4, "c", True), h.SuspectEvent(G + 9, "d", True)),
        "c (id 4) and d (id 9) answer again",
    ),
    (
        (h.MergeEvent(30, G + 2, "bob"), h.MergeEvent(7, G + 4, "carol")),
        "caught up: 37 messages from bob and carol",
    ),
    ((h.MergeEvent(30, G + 2, "bob"), h.MergeEvent(7)),
     "caught up: 37 messages from bob and others"),
    ((h.LeaderEvent(G + 2, "bob", EPOCH),), "bob (id 2) leads now (epoch 12)"),
    ((h.ErrorEvent("X", "a"), h.ErrorEvent("X", "a")), "error: a"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "said"), TOLD)
def test_a_notice(events: tuple[h.What, ...], said: str) -> None:
    assert drawn(notice(1, 0, *events), columns=90) == f"12:01:07      -- | {said}"


def test_the_silence_of_the_leader_is_told_in_other_words() -> None:
    shown = drawn(notice(1, 0, h.SuspectEvent(G + 1, "alice"), leader=1))
    assert shown == "12:01:07      -- | leader alice (id 1) is silent"


@pytest.mark.parametrize(
    ("what", "look"),
    [
        (member("left", "carol", 4), "notice"),
        (h.LeaderEvent(G + 2, "bob", EPOCH), "notice.leader"),
        (h.ElectionEvent(G + 2, "bob", "started"), "notice.leader"),
        (h.ErrorEvent("X", "broken"), "notice.error"),
    ],
)
def test_notices_look_different(what: h.What, look: str) -> None:
    (row,) = rows(STATE, replace(DEV, items=(notice(1, 0, what),)), 90)
    assert looks(row, "--") == look


def test_answers_stand_where_they_were_asked() -> None:
    shown = drawn(
        reply(1, 0, "you are in:", "  #dev   4/5"), reply(2, 0, "no such chat", tone="error")
    )
    assert shown == (
        "12:01:07      -- | you are in:\n"
        "                 |   #dev   4/5\n"
        "12:01:07      -- | no such chat"
    )


def test_long_rows_of_answers_hang() -> None:
    row = " bob    id 2  *  alive        10.0.0.1:50061  seen 3s ago"
    assert drawn(reply(1, 0, row, row)) == (
        "12:01:07      -- |  bob    id 2  *  alive\n"
        "                 |     10.0.0.1:50061  seen 3s ago\n"
        "                 |  bob    id 2  *  alive\n"
        "                 |     10.0.0.1:50061  seen 3s ago"
    )


def test_a_text_that_was_refused_says_why() -> None:
    assert drawn(unsent(1, 0, "lost words", "too long")) == (
        "12:01:07     you | lost words                       failed\n"
        "12:01:07      -- | not sent: too long"
    )


def test_a_text_that_the_node_has_not_taken_yet_is_being_sent() -> None:
    assert drawn(unsent(1, 0, "on its way", "")) == (
        "12:01:07     you | on its way                      sending"
    )
    view = replace(DEV, items=(unsent(2, 0, "on its way", ""),))
    (row,) = rows(STATE, view)
    assert looks(row, "sending") == "delivery"


# ---- what the user does not want ---------------------------------------------------------------


def test_ignored_nicks_have_no_rows_whatever_their_case() -> None:
    shown = drawn(line(1, 0, "Eve", "spam"), line(2, 0, "bob", "x"), ignored=("eve",))
    assert shown == "12:01:07     bob | x"


def test_own_lines_are_never_ignored() -> None:
    view = replace(DEV, items=(line(1, 0, "you", "x"),))
    opts = options(showing(view, ignored=("me",)), view, 60)
    assert not hidden(view.items[0], opts)


def test_notices_can_be_hidden_but_errors_stay() -> None:
    shown = drawn(
        notice(1, 0, member("left", "carol", 4)),
        notice(2, 0, h.ErrorEvent("X", "broken")),
        reply(3, 0, "an answer"),
        settings=Settings(notices="off"),
    )
    assert shown == "12:01:07      -- | error: broken\n12:01:07      -- | an answer"


def test_times_without_seconds() -> None:
    assert drawn(line(1, 0, "bob", "x"), settings=Settings(seconds="off")) == "12:01     bob | x"


# ---- days and what is new ----------------------------------------------------------------------


def test_another_day_is_told() -> None:
    shown = drawn(
        line(1, 0, "bob", "a", sent_ms=AT - DAY),
        line(2, 0, "bob", "b", sent_ms=AT - DAY + 1_000),
        line(3, 0, "bob", "c"),
        columns=50,
    )
    assert shown == (
        "-------------- Thursday, 2026-11-19 --------------\n"
        "12:01:07     bob | a\n"
        "12:01:08     bob | b\n"
        "--------------- Friday, 2026-11-20 ---------------\n"
        "12:01:07     bob | c"
    )


def test_today_needs_no_telling() -> None:
    assert "2026" not in drawn(line(1, 0, "bob", "a"))


def test_what_has_no_time_is_in_no_day() -> None:
    timeless = Item(2, Reply(("not a line of config.toml",), 0))
    shown = drawn(line(1, 0, "bob", "a"), timeless, line(3, 1, "bob", "b"))
    assert shown == (
        "12:01:07     bob | a\n              -- | not a line of config.toml\n12:01:08     bob | b"
    )
    assert "2026" not in drawn(timeless, line(3, 1, "bob", "b"))


def test_the_day_is_that_of_the_order_not_of_somebodys_clock() -> None:
    wrong = line(1, 0, "eve", "from 1970", sent_ms=1, place=(AT, 0, 1, 1, 1, 1))
    assert len(drawn(wrong, line(2, 0, "bob", "b")).splitlines()) == 2


def test_a_clock_out_of_this_world_breaks_nothing() -> None:
    assert drawn(line(1, 0, "eve", "x", sent_ms=2**64 - 1)).endswith("    eve | x")


def new(view: View, **more: object) -> list[str]:
    state = showing(view, **more)
    return [plain(row).strip("- ").split(" | ")[-1].strip() for row in rows(state, view)]


def test_the_line_over_what_is_new() -> None:
    talk = tuple(line(n, n, "bob", f"m{n}") for n in (1, 2, 3))
    assert new(replace(DEV, items=talk, marker=2)) == ["m1", "m2", "new", "m3"]
    assert new(replace(DEV, items=talk, marker=3)) == ["m1", "m2", "m3"]
    assert new(replace(DEV, items=talk, marker=0)) == ["m1", "m2", "m3"]


def test_what_is_hidden_carries_the_lines_over_to_the_next() -> None:
    talk = (line(1, 0, "bob", "m1"), line(2, 1, "eve", "m2"), line(3, 2, "bob", "m3"))
    assert new(replace(DEV, items=talk, marker=1), ignored=("eve",)) == ["m1", "new", "m3"]
    assert new(replace(DEV, items=talk, marker=2), ignored=("eve",)) == ["m1", "new", "m3"]


# ---- delivery ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("acked", "of", "age_ms", "mark"),
    [
        (2, 3, 0, ""),
        (3, 3, 299, ""),
        (2, 3, 300, "2/3"),
        (3, 3, 300, "3/3"),
        (0, 3, 300, "0/3"),
        (0, 3, 1_999, "0/3"),
        (0, 3, 2_000, "queued"),
        (1, 3, 60_000, "1/3"),
        (2, 3, -1_999, ""),  # the node's clock is read a little later than the screen's
        (2, 3, -60_000, "2/3"),  # it was set back
        (0, 0, 60_000, ""),  # the others answer: they have it, or get it by themselves
    ],
)
def test_how_far_an_own_line_has_come(acked: int, of: int, age_ms: int, mark: str) -> None:
    own = line(1, 0, "you", "x", acked=acked, of=of)
    opts = options(STATE, DEV, 60)
    assert delivery(own.entry, AT + age_ms, opts) == mark


GONE = w.Member(G + 1, "alice", "dropped", seen_ms=AT - 5_000)
SELF = w.Member(G + 7, "me", "alive", self=True)


@pytest.mark.parametrize(
    ("members", "alive", "known", "mark"),
    [
        ((SELF, GONE), 1, 2, "queued"),
        ((SELF, replace(GONE, seen_ms=AT + 5_000)), 1, 2, ""),  # she was there since then
        ((SELF, replace(GONE, state="alive")), 2, 2, ""),
        ((SELF, replace(GONE, state="left")), 1, 1, ""),
        ((SELF,), 1, 1, ""),
        ((), 1, 1, ""),
        ((), 1, 2, "queued"),
        ((), 2, 2, ""),
    ],
)
def test_a_line_that_nobody_could_get_is_queued_unless_one_is_alone(
    members: tuple[w.Member, ...], alive: int, known: int, mark: str
) -> None:
    view = replace(DEV, members=members, chat=replace(DEV.chat, alive=alive, known=known))
    own = line(1, 0, "you", "x", acked=0, of=0)
    assert delivery(own.entry, AT + 60_000, options(STATE, view, 60)) == mark


@pytest.mark.parametrize(
    ("age_ms", "in_ms"), [(0, 300), (299, 1), (300, 1_700), (1_999, 1), (2_000, 0), (-100, 400)]
)
def test_when_the_mark_changes_of_its_own_accord(age_ms: int, in_ms: int) -> None:
    own = line(1, 0, "you", "x", acked=0, of=3)
    assert items.changes_ms(own.entry, AT + age_ms) == in_ms
    assert items.changes_ms(line(2, 0, "bob", "x").entry, AT) == 0


def test_the_mark_stands_at_the_end_of_the_last_row() -> None:
    text = "words that go on and on until the row is full, and then some"
    shown = drawn(line(1, 0, "you", text, acked=3, of=3), columns=60)
    assert shown == (
        "12:01:07     you | words that go on and on until the row is\n"
        "                 | full, and then some                 3/3"
    )


def test_a_last_row_that_is_full_gives_way_to_the_mark() -> None:
    text = "words that go on until the row is full"
    shown = drawn(line(1, 0, "you", text, acked=3, of=3), columns=60)
    assert shown == (
        "12:01:07     you | words that go on until the row\n"
        "                 | is full                             3/3"
    )
    young = drawn(line(2, 0, "you", text, acked=3, of=3), columns=60, now_ms=AT)
    assert young.replace("3/3", "").split() == shown.replace("3/3", "").split()
    assert len(young.splitlines()) == 2  # so that nothing moves when the mark appears


def test_lines_of_others_take_the_whole_row() -> None:
    text = "words that go on until the row is full"
    assert len(drawn(line(1, 0, "bob", text), columns=60).splitlines()) == 1


def test_a_mark_without_room_beside_stands_below() -> None:
    shown = drawn(line(1, 0, "you", "hello there you", acked=1, of=12), columns=26)
    assert shown.splitlines()[-1].endswith("1/12")
    assert len(shown.splitlines()) == 2


@pytest.mark.parametrize(("columns", "rows"), [(35, 2), (36, 1)])
def test_a_mark_stands_beside_where_twenty_columns_are_left(columns: int, rows: int) -> None:
    shown = drawn(line(1, 0, "you", "x", acked=1, of=3), columns=columns)
    assert len(shown.splitlines()) == rows


@pytest.mark.parametrize(
    ("acked", "of", "look"),
    [(2, 3, "delivery"), (3, 3, "delivery.all"), (0, 3, "delivery.queued")],
)
def test_marks_look_different(acked: int, of: int, look: str) -> None:
    view = replace(DEV, items=(line(1, 0, "you", "x", acked=acked, of=of),))
    (row,) = rows(STATE, view)
    assert row[-2][0] == look


# ---- narrow screens, long texts, search --------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (50, "12:01:07   alice | hello there bob"),
        (49, "12:01   alice | hello there bob"),
        (30, "12:01   alice | hello there\n              | bob"),
        (29, "  alice | hello there bob"),
        (16, "ali~ | hello\n     | there bob"),
        (8, "hello\nthere\nbob"),
        (1, "h\ne\nl\nl\no\nt\nh\ne\nr\ne\nb\no\nb"),
    ],
)
def test_columns_give_way_on_narrow_screens(columns: int, shown: str) -> None:
    assert drawn(line(1, 0, "alice", "hello there bob"), columns=columns) == shown


def test_a_message_of_very_many_rows_is_not_shown_whole() -> None:
    shown = drawn(line(1, 0, "eve", "\n" * 60_000 + "x")).splitlines()
    assert len(shown) == drawing.ROWS_MAX + 1
    assert "left out" in shown[-1]


def test_what_was_searched_for_is_marked_also_across_rows() -> None:
    view = replace(DEV, items=(line(1, 0, "bob", "Merge or merge " * 3 + "mer ge"),))
    shown = rows(showing(view, search=Search("or MERGE")), view, 40)
    lit = [text for row in shown for look, text in row if look == "match"]
    assert " ".join(lit) == "or merge or merge or merge"
    looked_at = rows(showing(view, search=Search("merge", 1)), view, 40)
    assert "> Merge" in plain(looked_at[0])
    assert {look for look, _ in looked_at[0]} >= {"match.hit"}


def lit(shown: list[items.Row]) -> list[str]:
    return ["".join(text for look, text in row if look == "match") for row in shown]


def test_matches_side_by_side_are_marked_as_one() -> None:
    view = replace(DEV, items=(line(1, 0, "bob", "x" * 50),))
    shown = rows(showing(view, search=Search("x")), view)
    assert lit(shown) == ["x" * 41, "x" * 9]
    assert [len(row) for row in shown] == [4, 3]  # time, nick, border, match; border, match, blanks


@given(st.text("ab ", max_size=200), st.text("ab ", min_size=1, max_size=3), st.integers(20, 60))
def test_every_match_is_marked_and_nothing_else(text: str, wanted: str, columns: int) -> None:
    view = replace(DEV, items=(line(1, 0, "bob", text),))
    marked = set[int]()
    for match in re.finditer(wanted, text):
        marked |= set(range(*match.span()))
    opts = options(showing(view, search=Search(wanted)), view, columns)
    room = columns - (opts.time + 1 if opts.time else 0) - opts.nick - 3
    look = items.Look(columns, opts.time, opts.nick, wanted, False)
    shown = items.Drawing(view.items[0], look, "")._texts(text, "text", room)
    for (at, end), row in zip(spans(text, room), shown, strict=True):
        for look, said in row:
            is_lit = {one in marked for one in range(at, at + len(said))}
            assert is_lit <= {look == "match"}
            at += len(said)
        assert at == end


@pytest.mark.parametrize(("piece", "wanted"), [("x", "x"), ("x ", "x"), ("x ", "x x")])
def test_a_search_in_a_long_line_looks_at_each_match_once(piece: str, wanted: str) -> None:
    view = replace(DEV, items=(line(1, 0, "eve", piece * 400_000),))
    shown = rows(showing(view, search=Search(wanted)), view)
    assert len(shown) == drawing.ROWS_MAX + 1
    assert lit(shown)[500].strip()


def test_a_search_is_for_the_text_as_it_is() -> None:
    view = replace(DEV, items=(line(1, 0, "bob", "a.b axb"),))
    (row,) = rows(showing(view, search=Search("a.b")), view)
    assert [text for look, text in row if look == "match"] == ["a.b"]


# ---- what is kept ------------------------------------------------------------------------------


def test_rows_are_kept_until_the_item_is_another() -> None:
    view = replace(DEV, items=(line(1, 0, "you", "x", acked=1, of=3),))
    opts = options(STATE, view, 60)
    first = rows_of(view, 0, 60, NOW, opts).rows
    assert rows_of(view, 0, 60, NOW + 1, opts).rows is first
    changed = replace(view, items=(line(1, 0, "you", "y", acked=1, of=3),))
    assert "y" in plain(rows_of(changed, 0, 60, NOW, opts).rows[0])


@pytest.mark.parametrize(
    "other",
    [
        {"time": 5},
        {"nick": 12},
        {"search": "x"},
        {"search": "x", "hit": 1},
    ],
)
def test_whatever_changes_the_look_is_looked_at(other: dict[str, object]) -> None:
    view = replace(DEV, items=(line(1, 0, "bob", "x"),))
    opts = options(STATE, view, 60)
    before = rows_of(view, 0, 60, NOW, opts).rows
    assert rows_of(view, 0, 60, NOW, opts._replace(**other)).rows != before
    assert rows_of(view, 0, 61, NOW, opts).rows != before
    assert rows_of(view, 0, 60, NOW, opts).rows == before


def test_the_moment_is_looked_at_too() -> None:
    view = replace(DEV, items=(line(1, 0, "you", "x", acked=0, of=3),))
    opts = options(STATE, view, 60)
    marks = [
        plain(rows_of(view, 0, 60, AT + ms, opts).rows[0])[40:].strip() for ms in (0, 300, 2000)
    ]
    assert marks == ["", "0/3", "queued"]


def test_what_is_kept_is_bounded_by_rows() -> None:
    kept = items._Kept()
    long = tuple([((("text", "x"),),)] * 1_000)
    for serial in range(50):
        kept.put((serial,), line(serial, 0, "bob", "x").entry, long[0:1000])  # type: ignore[arg-type]
    assert kept._rows <= items._Kept.ROWS
    assert len(kept._drawn) == items._Kept.ROWS // 1_000
    assert kept._rows == sum(len(rows) for _, rows in kept._drawn.values())


# ---- whatever is said --------------------------------------------------------------------------


@given(
    st.text(st.characters(codec=None), max_size=60),
    st.text(st.characters(codec=None), max_size=20),
    st.integers(1, 120),
    st.sampled_from(["you", ""]),
    st.integers(0, 12),
)
def test_every_row_is_exactly_as_wide_and_printable(
    text: str, nick: str, columns: int, own: str, acked: int
) -> None:
    view = replace(DEV, items=(line(1, 0, own or nick, text, member=5, acked=acked, of=12),))
    items._KEPT.__init__()  # type: ignore[misc]
    for row in rows(STATE, view, columns):
        assert plain(row).isprintable()
        assert width(plain(row)) == columns
