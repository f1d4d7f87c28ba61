"""Pages over the transcript.  The pictures of `tests/cli/pictures` show each whole."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node import words as w
from node.cli.model import Page, State
from node.cli.render import pages
from node.cli.render.rows import Row, plain
from tests.cli.drawn import (
    AT,
    CALLS,
    CHECK,
    DAY,
    DEV,
    ELECTION,
    EPOCH,
    HELP,
    NOW,
    PEERS,
    QUEUE,
    STATE,
    TRACE,
    G,
    columns_of,
    looks,
    paged,
    picture,
    showing,
)

HOSTILE = "a\x1b[31m\u202eb\u0301\u0301\u0301\u200b字"


def rows(state: State, columns: int = 100) -> list[Row]:
    drawn = pages.rows(state, columns, NOW)
    assert columns_of(drawn) <= {columns}
    return drawn


def text(kind: str, content: object, columns: int = 100) -> str:
    return picture(rows(paged(kind, content), columns))


def found(drawn: Sequence[Row], said: str) -> Row:
    return next(row for row in drawn if said in plain(row))


# ---- what a page is called ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "title"),
    [
        (Page("elections"), "ELECTIONS"),
        (Page("trace", topic="4f2a"), "TRACE 4f2a"),
        (Page("rpc"), "CALLS"),
        (Page("else", topic="\x1bx"), "ELSE x"),
    ],
)
def test_a_title(page: Page, title: str) -> None:
    assert pages.title(page) == title


@pytest.mark.parametrize(
    ("columns", "head"),
    [
        (80, " TRACE 4f2a of #dev                 3-9 of 40  Esc closes, PgUp and PgDn scroll"),
        (40, " TRACE 4f2a of #dev      3-9 of 40  Esc"),
        (20, " TRACE 4f2a of #dev"),
        (12, " TRACE 4f2a~"),
    ],
)
def test_the_row_over_a_page(columns: int, head: str) -> None:
    page = Page("trace", topic="4f2a", chat_id=1)
    row = pages.head(STATE, page, columns, 2, 7, 40)
    assert plain(row).rstrip() == head
    assert columns_of([row]) == {columns}


@pytest.mark.parametrize(
    ("page", "head"),
    [
        (Page("queue", QUEUE, chat_id=1), " QUEUE of #dev"),
        (Page("queue", w.Queue((*QUEUE.rows, w.QueueRow("ops"))), chat_id=1), " QUEUE"),
        (Page("queue", w.Queue(), chat_id=1), " QUEUE"),
        (Page("rpc", CALLS, chat_id=1), " CALLS"),
        (Page("check", CHECK, chat_id=1), " CHECK of #dev"),
        (Page("check", CHECK, chat_id=99), " CHECK"),
    ],
)
def test_a_chat_is_named_where_all_is_of_that(page: Page, head: str) -> None:
    row = pages.head(STATE, page, 60, 0, 1, 1)
    assert plain(row).removesuffix(f"{pages.HOW} ").rstrip() == head


def test_help_is_of_no_chat_and_a_page_that_fits_counts_no_rows() -> None:
    row = pages.head(STATE, Page("help", chat_id=1), 60, 0, 4, 4)
    assert plain(row).split() == ["HELP", *pages.HOW.split()]


def test_until_the_node_has_answered() -> None:
    assert text("trace", None) == " asking the node..."
    assert pages.rows(STATE, 80, NOW) == []


def test_how_far_a_page_scrolls() -> None:
    state = paged("help", tuple(f"line {n}" for n in range(20)))
    assert pages.height(state, 80, NOW) == 20
    assert pages.furthest(state, 80, 11, NOW) == 10
    assert pages.furthest(state, 80, 99, NOW) == 0
    assert pages.furthest(state, 80, 0, NOW) == 20


def test_rows_are_kept_until_what_they_show_is_another() -> None:
    state = paged("trace", TRACE)
    first = pages.rows(state, 80, NOW)
    assert pages.rows(replace(state, page=replace(state.page, top=3)), 80, NOW) is first
    assert pages.rows(state, 81, NOW) is not first
    again = pages.rows(state, 80, NOW)
    assert pages.rows(paged("trace", replace(TRACE, stored_ms=0)), 80, NOW) != again
    assert pages.rows(paged("trace", None), 80, NOW) != again
    assert pages.rows(state, 80, NOW + DAY) != again


def test_very_long_tables_are_not_shown_whole() -> None:
    drawn = text("queue", w.Queue(QUEUE.rows * 501)).splitlines()
    assert (len(drawn), drawn[-1]) == (502, " and 1 more")
    assert "more" not in text("queue", w.Queue(QUEUE.rows * 500))
    drawn = text("peers", w.Peers(PEERS.peers[1:2] * 700)).splitlines()
    assert drawn[-1] == " and 200 more"


# ---- help --------------------------------------------------------------------------------------


def test_help_has_headings_lines_and_two_columns_that_align() -> None:
    drawn = rows(paged("help", HELP), 70)
    assert picture(drawn) == (
        " Type to talk. A line that begins with / is a command.\n"
        "\n"
        " Talking\n"
        "  /join line          join a chat: HOST:PORT/name, name@HOST:PORT, or\n"
        "                      a name\n"
        "  /me text...         say what you do\n"
        "\n"
        " Settings\n"
        "  /set [key [value]]  what can be set, one of it, or set it"
    )
    assert looks(found(drawn, "Talking"), " Talking") == "page.head"
    assert found(drawn, "/me")[0][0] == "page.key"


def test_lines_of_a_page_are_cleaned_and_wrapped() -> None:
    assert text("help", (HOSTILE, (HOSTILE,), (HOSTILE, HOSTILE)), 60) == (
        " a[31mb\u0301\u0301字\n a[31mb\u0301\u0301字\n  a[31mb\u0301\u0301字  a[31mb\u0301\u0301字"
    )


# ---- elections ---------------------------------------------------------------------------------


def test_the_last_election_is_first_and_counts_on_while_it_is_open() -> None:
    lines = text("elections", ELECTION, 70).splitlines()
    heads = [line for line in lines if line[1:3].isdecimal()]
    assert heads == [
        " 12:03:48  under way for 1.2 s",
        " 12:02:43  bob leads, epoch 12, after 0.9 s",
        " 11:01:07  alice leads, epoch 11, after 0.3 s",
    ]
    later = pages.rows(paged("elections", ELECTION), 70, NOW + 1_000)
    assert "under way for 2.2 s" in picture(later)


def test_steps_say_who_asked_whom_and_when() -> None:
    told = text("elections", ELECTION, 70)
    assert "     +2 ms  bob (id 2) asked carol (id 4)\n" in told
    assert "   +500 ms  alice (id 1) did not answer: nobody is there\n" in told


def test_a_picture_of_the_time_where_there_is_room() -> None:
    told = text("elections", ELECTION, 84)
    assert "+0 ms  |*.......................|  bob (id 2) started" in told
    assert "+900 ms  |.......................*|  bob (id 2) leads" in told


@pytest.mark.parametrize(
    ("chat", "said"),
    [
        (DEV.chat, "bob (id 2) leads #dev, epoch 12, the NDS agrees"),
        (
            replace(DEV.chat, leader_id=G + 7),
            "you (id 7) lead #dev, epoch 12, the NDS agrees",
        ),
        (
            replace(DEV.chat, provisional=True),
            "bob (id 2) leads #dev for now, after epoch 12: the NDS has not confirmed it",
        ),
        (replace(DEV.chat, leader_id=0), "no leader is known (epoch 12)"),
    ],
)
def test_who_leads_now(chat: w.Chat, said: str) -> None:
    state = showing(replace(DEV, chat=chat), page=Page("elections", w.Elections(), chat_id=1))
    assert picture(rows(state)) == f" {said}\n no election seen yet"


def test_an_election_that_the_nds_has_not_confirmed_has_no_epoch_of_its_own() -> None:
    one = w.Election(AT, 99, "bob", w.Epoch(1, 12), provisional=True)
    drawn = picture(rows(paged("elections", w.Elections((one,))))).splitlines()
    assert drawn[-1].endswith("  bob leads for now, after epoch 12, after 99 ms"), drawn


def test_an_nds_that_is_down_agrees_to_nothing() -> None:
    state = paged("elections", w.Elections())
    silent = replace(state, nds=(w.DiscoveryService(DEV.chat.nds, "down 9s", NOW - 9_000),))
    assert picture(rows(silent)).splitlines()[0] == (
        " bob (id 2) leads #dev, epoch 12, as the NDS said before it went silent"
    )
    full = replace(state, nds=(w.DiscoveryService(DEV.chat.nds, "", 0, "STORE_FULL"),))
    assert picture(rows(full)).splitlines()[0] == (
        " bob (id 2) leads #dev, epoch 12, the NDS agrees, but cannot store"
    )


def test_an_election_without_a_new_leader() -> None:
    one = w.Election(AT, 99, steps=(w.ElectionStep(AT - 5, "x"),))
    assert text("elections", w.Elections((one,)), 60).splitlines()[2:] == [
        " 12:01:07  no change, after 99 ms",
        "   +0 ms  x",
    ]


# ---- a message ---------------------------------------------------------------------------------


def test_a_trace_says_who_has_a_line_and_why_others_lack_it() -> None:
    drawn = rows(paged("trace", TRACE))
    assert picture(drawn) == (
        " 12:03:31 <you> deploying now\n"
        " id        4f2a91-7\n"
        " sent      12:03:31.023 in epoch 12, led by bob\n"
        " stored    12:03:31.024 here\n"
        " follows   1b2c and 77aa\n"
        " delivery  2 of 4 have it\n"
        "\n"
        " MEMBER        STATE     AFTER  WAY     WHY\n"
        " bob (id 2)    has it    12 ms  direct\n"
        " carol (id 4)  has it    45 ms  relay\n"
        " dan (id 9)    lacks it                 3 tries; last UNAVAILABLE: connection refused;"
        " next in 0.4 s\n"
        " alice (id 1)  gone                     gets it when they are back"
    )
    assert found(drawn, "dan")[0][0] == "page.bad"
    assert found(drawn, "carol")[0][0] == "page.good"


def test_what_a_line_follows_is_cleaned() -> None:
    told = text("trace", replace(TRACE, follows=("\x1b[2J1b2c", "\u202e77")))
    assert " follows   [2J1b2c and 77\n" in told


def test_a_trace_of_a_line_of_another() -> None:
    line = replace(TRACE.line, own=False, nick="bob", text="\n".join("abcdefgh"))
    told = text("trace", w.Tracing(line))
    assert "delivery" not in told
    assert "MEMBER" not in told
    assert "led by nobody that is known" in told
    assert "<bob> e" in told
    assert "<bob> f" not in told  # long ones are not told whole


def test_members_that_left_are_told_as_such() -> None:
    tracing = replace(TRACE, rows=(w.TraceRow(G + 4, "carol", "gone"), w.TraceRow(G + 5, "eve")))
    assert text("trace", tracing).splitlines()[-2:] == [
        " carol (id 4)  left                  no longer a member",
        " eve (id 5)    lacks it              not tried yet",
    ]


def test_the_queue() -> None:
    assert text("queue", QUEUE) == (
        " SENT      CHAT  ID    TEXT           NEXT TRY  WAITS FOR\n"
        " 12:03:31  #dev  4f2a  deploying now  0.4 s     dan and alice"
    )
    assert "nothing waits" in text("queue", w.Queue())


# ---- the others --------------------------------------------------------------------------------


def test_links_as_far_as_there_is_room_for_columns() -> None:
    wide = text("peers", PEERS, 140).splitlines()
    assert wide[0].split()[4:] == ["CALLS", "FAILED", "NOW", "WATCHED", "MORE"]
    assert wide[3] == (
        " bob (id 2)    alive    ready    0.8 ms    120       0    1"
        "  you watch it, it watches you  10.0.0.2:50061"
    )
    assert text("peers", PEERS, 100).splitlines()[4] == (
        " bob (id 2)    alive    ready    0.8 ms  you watch it, it watches you  120 calls, 0 failed"
    )
    assert text("peers", PEERS, 60).splitlines()[4:6] == [
        " bob (id 2)    alive    ready    0.8 ms",
        "     you watch it, it watches you; 10.0.0.2:50061; 120",
    ]
    assert "alone" in text("peers", w.Peers())


@pytest.mark.parametrize(
    ("link", "state", "look"),
    [
        ("ready", "alive", "page"),
        ("failing", "alive", "page.bad"),
        ("ready", "suspect", "page.bad"),
        ("idle", "dropped", "page.bad"),
    ],
)
def test_links_that_do_not_work_look_different(link: str, state: str, look: str) -> None:
    peers = w.Peers((replace(PEERS.peers[1], link=link, state=state),))
    assert found(rows(paged("peers", peers)), "bob")[0][0] == look


def test_links_of_several_chats_name_them() -> None:
    peers = w.Peers((*PEERS.peers, replace(PEERS.peers[1], chat="ops")))
    lines = text("peers", peers, 120).splitlines()
    assert lines[0].split()[0] == "CHAT"
    assert lines[-1].split()[0] == "#ops"


def test_whether_histories_are_the_same() -> None:
    assert text("check", CHECK) == (
        " histories differ\n"
        "\n"
        " MEMBER        HISTORY\n"
        " bob (id 2)    7c3e       same\n"
        " carol (id 4)  1111       DIFFERS\n"
        " dan (id 9)    no answer"
    )
    same = replace(CHECK, same=True, rows=CHECK.rows[:1])
    assert text("check", same).startswith(" same history on every member")
    silent = replace(CHECK, same=True, rows=(CHECK.rows[0], CHECK.rows[2]))
    nothing = " nobody else answers: there is nothing to compare with"
    assert text("check", silent).startswith(nothing)
    rows = (CHECK.rows[0], replace(CHECK.rows[1], same=True, fingerprint="7c3e"), CHECK.rows[2])
    said = " same history on the 2 members that answer; dan (id 9) does not"
    assert text("check", replace(CHECK, rows=rows)).startswith(said)


def test_calls_can_be_pasted_the_last_one_first() -> None:
    assert text("rpc", CALLS, 78) == (
        "# 12:01:08 UNAVAILABLE, 12 ms\n"
        'grpcurl -plaintext -d \'{"chat_id":"255","messages":[{"source":"7","seq":"12",\n'
        '"text":"it\'\\\'\'s a long line of text, is it not?"}],\n'
        '"epoch":{"generation":"1795000000","n":"12"}}\' 10.0.0.4:50061 \\\n'
        "p2pchat.v1.Node/Post\n"
        "# 12:01:07 OK, 3 ms\n"
        'grpcurl -plaintext -d \'{"chat_id":"255"}\' 10.0.0.2:50061 p2pchat.v1.Node/Ping'
    )
    assert "no call" in text("rpc", w.Calls())
    assert text("rpc", w.Calls(CALLS.calls[:1], keys="/home/al/p2pchat/default"), 78) == (
        "# 12:01:07 OK, 3 ms\n"
        "grpcurl -cacert /home/al/p2pchat/default/authority.pem -cert \\\n"
        "/home/al/p2pchat/default/tls.pem -key /home/al/p2pchat/default/tls.pem \\\n"
        '-authority p2pchat -d \'{"chat_id":"255"}\' 10.0.0.2:50061 p2pchat.v1.Node/Ping'
    )


# ---- whatever it says --------------------------------------------------------------------------

ANY = st.text(st.characters(codec=None), max_size=12)
INT = st.integers(0, 10**7)
CONTENTS = st.one_of(
    st.none(),
    st.lists(st.one_of(ANY, st.tuples(ANY), st.tuples(ANY, ANY)), max_size=4).map(tuple),
    st.builds(
        lambda text, ms: w.Elections(
            (w.Election(AT, ms, text, EPOCH, (w.ElectionStep(AT + ms, text),), not text),)
        ),
        ANY,
        INT,
    ),
    st.builds(
        lambda text, ms, state: replace(
            TRACE, leader_nick=text, rows=(w.TraceRow(G, text, state, ms, text, text, ms, ms),)
        ),
        ANY,
        INT,
        st.sampled_from(["acked", "waiting", "later", "gone"]),
    ),
    st.builds(
        lambda text, ms: w.Queue(
            (w.QueueRow(text, w.Line(id=text, text=text), (text,) if text else (), ms),)
        ),
        ANY,
        INT,
    ),
    st.builds(
        lambda text, n: w.Peers(
            (w.Peer(text, n, text, text, text, n, n, n, text, text), w.Peer(text * 2))
        ),
        ANY,
        INT,
    ),
    st.builds(lambda text, n: w.Calls((w.CallMade(n, text, text, text, text, n),)), ANY, INT),
    st.builds(
        lambda text, same: w.Comparison(text, same, (w.Compared(G, text, text, same),)),
        ANY,
        st.booleans(),
    ),
)


@given(CONTENTS, st.integers(1, 250))
def test_every_row_of_a_page_is_as_wide_as_the_screen_and_printable(
    content: object, columns: int
) -> None:
    for row in rows(paged("trace", content, topic="\x1bx"), columns):
        assert plain(row).isprintable()
    assert columns_of([pages.head(STATE, Page("x", topic="\x1by"), columns, 0, 5, 9)]) == {columns}
