"""The panes beside the transcript."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node import words as w
from node.cli.model import State
from node.cli.render.panes import chat_at, chats, member_at, members
from tests.cli.drawn import DEV, STATE, G, chat, columns_of, looks, picture, showing


def listed(*views: object, current: int = 1) -> State:
    return replace(STATE, views=views, current=current)  # type: ignore[arg-type]


def test_chats_with_what_is_unread_in_them() -> None:
    assert picture(chats(STATE, 16, 8)) == (
        "CHATS\n>1 #dev\n 2 #ops      3\n 3 #lab   @1 5\n 4 #bob\n 5 #old (muted)\n\n"
    )


def test_their_looks() -> None:
    rows = chats(STATE, 16, 8)
    assert [row[0][0] for row in rows[:6]] == [
        "pane.head", "pane.front", "pane.active", "pane.mention", "pane", "pane.muted",
    ]  # fmt: skip


def test_numbers_align_and_names_are_cut() -> None:
    views = (DEV, *(chat(n, f"a-long-name-{n}", n * 10) for n in range(2, 12)))
    rows = picture(chats(listed(*views), 16, 12)).splitlines()
    assert rows[1] == "> 1 #dev"
    assert rows[9] == "  9 #a-lon~ 90"
    assert rows[10] == " 10 #a-lo~ 100"


@pytest.mark.parametrize(
    ("services", "unread", "shown"),
    [
        (("10.0.0.5:50050", "10.0.0.6:50050"), 0, ["#dev~.5:50050", "#dev~.6:50050"]),
        (("10.0.0.5:50050", "10.0.0.6:50050"), 7, ["#dev~.5:50050", "#dev~6~   7"]),
        (("10.0.0.5:50050", "10.0.0.6:50050"), 1_234_567, ["#dev~.5:50050", "~6~ 1234567"]),
        (("127.0.0.1:50050", "127.0.0.1:50051"), 0, ["#dev~.1:50050", "#dev~.1:50051"]),
        (("127.0.0.1:50050", "127.0.0.1:50051"), 3, ["#dev~.1:50050", "#dev~0051 3"]),
        (("127.0.0.1:50050", "127.0.0.1:50051"), 345_678, ["#dev~.1:50050", "#d~1 345678"]),
        (("10.0.0.5:50050", "nds.example.org:9"), 0, ["~10.0.0.5:50~", "~nds.example~"]),
        (("a:1", "b:1"), 0, ["#dev@a:1", "#dev@b:1"]),
    ],
)
def test_chats_of_one_name_differ_though_their_services_are_cut(
    services: tuple[str, str], unread: int, shown: list[str]
) -> None:
    views = [chat(1, "dev"), chat(2, "dev", unread)]
    pairs = zip(views, services, strict=True)
    named = [replace(one, chat=replace(one.chat, nds=nds)) for one, nds in pairs]
    rows = picture(chats(listed(*named), 16, 3)).splitlines()
    assert [row[3:] for row in rows[1:]] == shown


def test_a_muted_chat_with_a_long_name_keeps_its_name() -> None:
    rows = picture(chats(listed(DEV, chat(2, "old-archive", muted=True)), 16, 3))
    assert rows.splitlines()[2] == " 2 #old-archive"
    rows = picture(chats(listed(DEV, chat(2, "old-archived", muted=True)), 16, 3))
    assert rows.splitlines()[2] == " 2 #old-archiv~"
    rows = picture(chats(listed(DEV, chat(2, "olde", muted=True)), 16, 3))
    assert rows.splitlines()[2] == " 2 #olde"


def test_closed_chats_are_not_listed() -> None:
    rows = picture(chats(listed(DEV, chat(2, "b", closed=True), chat(3, "c")), 16, 4))
    assert rows.splitlines()[2] == " 2 #c"


@pytest.mark.parametrize(
    ("current", "height", "shown"),
    [
        (1, 5, [">1 #c1", " 2 #c2", " 3 #c3", "  +6 more"]),
        (5, 5, [" 4 #c4", ">5 #c5", " 6 #c6", "  +6 more"]),
        (9, 5, [" 7 #c7", " 8 #c8", ">9 #c9", "  +6 more"]),
        (9, 3, [">9 #c9", "  +8 more"]),
        (9, 2, [">9 #c9"]),
        (9, 1, []),
    ],
)
def test_more_chats_than_rows(current: int, height: int, shown: list[str]) -> None:
    state = listed(*(chat(n, f"c{n}") for n in range(1, 10)), current=current)
    assert picture(chats(state, 16, height)).splitlines() == ["CHATS", *shown]
    found = [chat_at(state, y, height) for y in range(height)]
    numbers = [int(row[1:].split()[0]) if "#" in row else 0 for row in shown]
    assert found == [0, *numbers]


def test_members_with_their_marks() -> None:
    assert picture(members(STATE, 16, 7)) == (
        "MEMBERS 4/5\n bob    id 2 *\n carol  id 4\n you    id 7\n?dan    id 9\n-alice  id 1\n"
    )
    assert [member_at(STATE, y, 7) % 10 for y in range(7)] == [0, 2, 4, 7, 9, 1, 0]


def people(*members: w.Member) -> State:
    return showing(replace(DEV, members=members))


def test_those_that_left_are_not_there() -> None:
    state = people(w.Member(G + 1, "a", "left"), w.Member(G + 2, "b", "kicked"))
    assert picture(members(state, 16, 2)) == "MEMBERS 4/5\n"


def test_who_is_away_and_who_lacks_lines() -> None:
    state = people(
        w.Member(G + 1, "alice", "alive", away="lunch"),
        w.Member(G + 2, "bob", "alive", leader=True, lacking=3),
        w.Member(G + 4, "christopher", "suspect", lacking=12),
    )
    assert picture(members(state, 16, 4)).splitlines()[1:] == [
        " (alic~ id 1",
        " bob    id 2 *+3",
        "?chris~ id 4 +12",
    ]


def test_nicks_are_as_wide_as_all_else_leaves() -> None:
    state = people(
        w.Member(G + 2, "a-nick-of-its-own", "alive", lacking=3),
        w.Member(G + 14, "bob", "alive", leader=True, lacking=120),
    )
    assert picture(members(state, 24, 3)).splitlines()[1:] == [
        " a-nick-of-~ id 2     +3",
        " bob         id 14 *+120",
    ]
    assert picture(members(state, 40, 3)).splitlines()[1:] == [
        " a-nick-of-its-own id 2               +3",
        " bob               id 14 *          +120",
    ]


def test_long_ids_leave_something_of_the_nicks() -> None:
    state = people(w.Member(G + 123_456, "christopher", "alive", lacking=12))
    assert picture(members(state, 16, 2)).splitlines()[1:] == [" chris~ id 1234~"]


@pytest.mark.parametrize(
    ("member", "look"),
    [
        (w.Member(G + 1, "a", "alive"), "member"),
        (w.Member(G + 1, "a", "alive", leader=True), "member.leader"),
        (w.Member(G + 1, "a", "alive", self=True), "member.own"),
        (w.Member(G + 1, "a", "alive", away="x"), "member.away"),
        (w.Member(G + 1, "a", "suspect", leader=True), "member.suspect"),
        (w.Member(G + 1, "a", "dropped"), "member.gone"),
    ],
)
def test_their_states_look_different(member: w.Member, look: str) -> None:
    assert members(people(member), 16, 2)[1][0][0] == look


def test_another_member_called_you_is_set_apart() -> None:
    rows = members(people(w.Member(G + 1, "you", "alive")), 16, 2)
    assert looks(rows[1], " <you>  id 1") == "member"


def test_more_members_than_rows() -> None:
    state = people(*(w.Member(G + n, f"m{n}", "alive") for n in range(1, 10)))
    assert picture(members(state, 16, 4)).splitlines() == [
        "MEMBERS 4/5",
        " m1     id 1",
        " m2     id 2",
        " +7 more",
    ]
    assert [member_at(state, y, 4) % 10 for y in range(4)] == [0, 1, 2, 0]


def test_without_a_chat_nobody_is_there() -> None:
    assert picture(members(State(), 16, 2)).strip() == ""
    assert member_at(State(), 1, 2) == 0


@given(
    st.lists(
        st.builds(
            w.Member,
            member_id=st.integers(1, 10**16),
            nick=st.text(max_size=20),
            state=st.sampled_from(["alive", "suspect", "dropped", "left", "kicked", "?"]),
            leader=st.booleans(),
            self=st.booleans(),
            lacking=st.integers(0, 10**6),
            away=st.sampled_from(["", "x"]),
        ),
        max_size=8,
    ),
    st.lists(st.tuples(st.text(max_size=20), st.integers(0, 10**6), st.booleans()), max_size=12),
    st.integers(1, 30),
    st.integers(0, 10),
)
def test_panes_are_always_as_wide_and_high_as_asked(
    them: list[w.Member], names: list[tuple[str, int, bool]], columns: int, height: int
) -> None:
    others = (
        chat(n, name, unread, unread // 2, muted=muted)
        for n, (name, unread, muted) in enumerate(names, 2)
    )
    state = listed(replace(DEV, members=tuple(them)), *others)
    for rows in (chats(state, columns, height), members(state, columns, height)):
        assert len(rows) == height
        assert columns_of(rows) <= {columns}


def test_owner_and_admins_have_their_mark() -> None:
    state = people(
        w.Member(G + 1, "alice", "alive", role="owner"),
        w.Member(G + 2, "bob", "alive", self=True, role="admin"),
        w.Member(G + 3, "carol", "alive", role="member"),
    )
    rows = picture(members(state, 16, 5)).splitlines()
    assert rows[1:4] == [" @alice id 1", " @you   id 2", " carol  id 3"]
