"""Every verb as a user types it, with real processes.

Tries node/cli/verbs.py, node/cli/verbs_node.py, node/cli/verbs_chat.py, node/cli/verbs_ui.py,
node/cli/verbs_help.py, node/cli/output.py, node/background.py and node/control/running.py.
"""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Processes, own_nds, texts
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("members")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Processes]:
    """A directory for homes, and an end for all that runs in it."""
    found = Processes(tmp_path)
    yield found
    found.close()


@pytest.fixture
def dev(town: Processes) -> Processes:
    """alice hosts #dev, bob has joined it."""
    town.start_nds()
    line = town.lines("alice", "create", "dev", "--open", "--nds", town.nds, "--nick", "alice")[
        -1
    ].split()[-1]
    town.run("bob", "join", line, "--no-ui", "--nick", "bob")
    return town


def certificates(dev: Processes, by: str) -> dict[str, str]:
    """What each node says of its certificate, as one of them knows it."""
    rows = [json.loads(line) for line in dev.lines(by, "members", "--json")]
    return {row["nick"]: row["certificate"] for row in rows}


def test_everyone_knows_the_certificate_of_each_node_and_a_new_one_where_it_was_lost(
    dev: Processes,
) -> None:
    own = {name: dev.json(name, "status")["certificate"] for name in ("alice", "bob")}
    assert {len(bytes.fromhex(one)) for one in own.values()} == {32}
    for name in own:
        wait_for(lambda name=name: certificates(dev, name) == own)
    dev.run("bob", "down")
    for file in dev.home("bob").rglob("tls.pem"):
        file.unlink()
    dev.run("bob", "up")
    new = dev.json("bob", "status")["certificate"]
    assert new != own["bob"]
    wait_for(lambda: certificates(dev, "alice") == own | {"bob": new})
    assert dev.json("alice", "check")["members"]
    rows = [json.loads(line) for line in dev.lines("alice", "members", "--all", "--json")]
    assert [row["id"] for row in rows] == [1, 2], "bob is who he was"


# ---- the first run -----------------------------------------------------------------------------


def test_one_command_per_person(town: Processes) -> None:
    hosted = town.run("alice", "host", "dev", "--nick", "alice")
    assert "no NDS answered, so one was started at 127.0.0.1:" in hosted.stderr
    command = hosted.stdout.splitlines()[-1]
    assert command.startswith("others run:  p2pchat join 127.0.0.1:")
    line = command.split()[-1]
    joined = town.run("bob", "join", line, "--nick", "bob").stdout
    assert joined == "you are in #dev as bob (id 2), with 1 other\n"
    sent = town.run("bob", "send", "hello", "world").stdout
    assert sent.split()[1] == "1/1"
    assert texts(town.lines("alice", "tail")) == ["#dev <bob> hello world"]


def test_down_all_ends_the_nds_too_and_up_brings_everything_back(town: Processes) -> None:
    town.run("alice", "host", "dev")
    pid, nds_pid = town.pid("alice"), own_nds(town.home("alice") / "default")
    assert pid
    assert nds_pid
    row = town.json("alice", "down", "--all")
    assert row == {"pid": pid, "nds_pid": nds_pid}
    assert town.pid("alice") == 0
    again = town.run("alice", "up")
    assert "in #dev" in again.stdout
    assert "is down" in again.stderr
    assert town.run("alice", "host", "ops").stdout.startswith("#ops is there")
    wait_for(lambda: town.json("alice", "leader", "-c", "dev")["provisional"] is False)


def test_verbs_detach_their_background_process(town: Processes) -> None:
    town.start_nds()
    began = time.monotonic()
    # `communicate` returns only when nobody holds the pipes any more.
    child = town.start("alice", "create", "dev", "--nds", town.nds)
    out, err = child.communicate(timeout=WAIT_S)
    assert child.returncode == 0, err
    assert time.monotonic() - began < 15
    pid = town.pid("alice")
    assert os.getsid(pid) == pid
    assert "others run" in out
    links = {os.readlink(f"/proc/{pid}/fd/{n}") for n in (0, 1, 2)}
    assert "/dev/null" in links
    assert all(one == "/dev/null" or one.endswith("node.out") for one in links)


def test_up_and_down_twice_are_harmless(town: Processes) -> None:
    first = town.json("alice", "up")
    second = town.json("alice", "up")
    assert (first["already"], second["already"]) == (False, True)
    assert first["pid"] == second["pid"] == town.pid("alice")
    assert town.run("alice", "down").stdout == f"node {first['pid']} has ended\n"
    assert town.run("alice", "down").stdout == "no node runs\n"


def test_two_ups_at_once_make_one_node(town: Processes) -> None:
    children = [town.start("alice", "up", "--json") for _ in range(3)]
    rows = [json.loads(child.communicate(timeout=WAIT_S)[0]) for child in children]
    assert {row["pid"] for row in rows} == {town.pid("alice")}


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            ["--listen", "127.0.0.1:0"],
            r"This node was told to listen on 127\.0\.0\.1:\d+ only, so nobody at"
            r" 192\.0\.2\.1:50050 could call it\. Leave --listen out, or name another address",
        ),
        (
            ["--insecure"],
            r"With --insecure connections are plain and stay on this machine, and"
            r" 192\.0\.2\.1:50050 is reached from others\. Leave --insecure out\.",
        ),
    ],
)
def test_a_first_join_that_is_refused_leaves_no_node(
    town: Processes, flags: list[str], told: str
) -> None:
    done = town.run("bob", "join", "192.0.2.1:50050/dev", "--no-ui", *flags, code=2)
    assert re.search(told, done.stderr)
    assert town.pid("bob") == 0


def test_a_taken_nick_is_said(dev: Processes) -> None:
    done = dev.run("carol", "join", f"{dev.nds}/dev", "--no-ui", "--nick", "bob")
    assert done.stdout.startswith("you are in #dev as bob2 (id 3)")
    assert done.stderr == "bob is taken there, so you are bob2\n"


def test_a_killed_node_is_in_nobodys_way(dev: Processes) -> None:
    os.kill(dev.pid("bob"), signal.SIGKILL)
    wait_for(lambda: dev.pid("bob") == 0)
    assert dev.run("bob", "status", code=5).stderr.endswith("Start it with 'p2pchat up'.\n")
    assert "in #dev" in dev.run("bob", "up").stdout
    members = [json.loads(x) for x in dev.lines("bob", "members", "--json")]
    assert [one["id"] for one in members] == [1, 2]


# ---- asking ------------------------------------------------------------------------------------


def test_what_verbs_print_in_json(dev: Processes) -> None:
    status = dev.json("bob", "status")
    (chat,) = status["chats"]
    assert {"name", "chat_id", "id", "epoch", "leader", "alive", "known", "unread", "outbox",
            "fingerprint"} <= set(chat)  # fmt: skip
    assert (chat["name"], chat["id"], chat["leader"], chat["alive"], chat["known"]) == (
        "dev", 2, 1, 2, 2,
    )  # fmt: skip
    assert status["nds"] == [{"address": dev.nds, "state": "ok", "fault": None}]
    assert stat.S_ISSOCK(Path(status["control"]).stat().st_mode)
    leader = dev.json("bob", "leader", "-c", "#dev")
    assert {key: leader[key] for key in ("chat", "id", "nick", "epoch", "provisional")} == {
        "chat": "dev", "id": 1, "nick": "alice", "epoch": 1, "provisional": False,
    }  # fmt: skip
    listed = dev.json("bob", "list")
    assert (listed["chat"], listed["chat_id"], listed["nds"]) == ("dev", chat["chat_id"], dev.nds)
    sent = dev.json("bob", "send", "-c", "dev", "hello")
    assert (sent["acked"], sent["of"], sent["missing"]) == (1, 1, [])
    message = dev.json("alice", "tail")
    assert (message["id"], message["text"], message["from"]["nick"]) == (sent["id"], "hello", "bob")
    check = dev.json("alice", "check")
    assert check["same"] is True
    assert [one["id"] for one in check["members"]] == [1, 2]
    assert dev.json("alice", "unread") == {"chat": None, "unread": 1, "mentions": 0}
    assert dev.run("alice", "unread").stdout == "1 0\n"
    assert re.fullmatch(rf"{dev.nds}/dev#[\w-]{{16}}\n", dev.run("alice", "invite").stdout)
    assert dev.json("bob", "ping", "alice")["answered"] is True
    assert dev.json("bob", "trace")["members"][0]["state"] == "acked"
    assert dev.json("bob", "peers")["nick"] == "alice"


def test_lines_come_from_stdin(dev: Processes) -> None:
    sent = dev.run("bob", "send", "-", stdin="one\n\ntwo\n").stdout.splitlines()
    assert [line.split()[1] for line in sent] == ["1/1", "1/1"]
    dev.run("bob", "send", "--whole", stdin="three\nfour\n")
    assert texts(dev.lines("alice", "tail")) == [
        "#dev <bob> one",
        "#dev <bob> two",
        "#dev <bob> three",
        "#dev <bob> four",
    ]
    last = texts(dev.lines("alice", "tail", "-n", "1"))
    assert last == ["#dev <bob> three", "#dev <bob> four"], "one message of two lines"
    assert len(dev.lines("alice", "search", "THREE")) == 2, "of one message with two lines"


def test_text_with_escapes_alters_no_screen(dev: Processes) -> None:
    dev.run("bob", "send", "red \x1b[31m\x9b2J \x07 end\u2028next")
    out = dev.run("alice", "tail").stdout
    assert "red [31m2J  end" in out
    assert all(char == "\n" or char.isprintable() for char in out)
    row = dev.run("alice", "tail", "--json").stdout
    assert all(char == "\n" or char.isprintable() for char in row)
    assert json.loads(row)["text"] == "red \x1b[31m\x9b2J \x07 end\u2028next"


def test_a_member_that_was_killed_is_named_and_no_longer_waited_for(dev: Processes) -> None:
    os.kill(dev.pid("bob"), signal.SIGKILL)
    wait_for(lambda: dev.json("alice", "status")["chats"][0]["alive"] == 1)
    sent = dev.json("alice", "send", "anyone?")
    assert (sent["acked"], sent["of"], sent["complete"]) == (0, 0, True)


def test_a_frozen_member_costs_the_wait_and_exit_6(dev: Processes) -> None:
    bob = dev.pid("bob")
    os.kill(bob, signal.SIGSTOP)
    try:
        done = dev.run("alice", "send", "hello", "--timeout", "0.5", code=6)
        assert done.stdout.split()[1] == "0/1"
        assert "bob does not answer yet" in done.stderr
        assert dev.run("alice", "send", "x", "--wait", "leader").stdout.split()[1] == "0/1"
        assert dev.run("alice", "send", "y", "--wait", "none").stdout.split()[1] == "0/1"
    finally:
        os.kill(bob, signal.SIGCONT)
    wait_for(lambda: dev.json("alice", "check", code=None)["same"])
    assert len(wait_for(lambda: dev.lines("bob", "tail"))) == 3


def test_check_takes_nobody_for_gone_who_is_suspect(town: Processes) -> None:
    town.start_nds()
    flags = ("--open", "--nds", town.nds, "--nick", "alice", "--timing", "suspect_ms=600000")
    line = town.lines("alice", "create", "dev", *flags)[-1].split()[-1]
    town.run("bob", "join", line, "--no-ui", "--nick", "bob")
    bob = town.pid("bob")
    os.kill(bob, signal.SIGSTOP)
    try:
        wait_for(lambda: "suspect" in town.run("alice", "members").stdout, "bob is suspect")
        told = town.run("alice", "check", code=6).stdout.splitlines()
        assert told[-1] == "bob (id 2) does not answer: there is nothing to compare with"
        found = town.json("alice", "check", code=6)
        assert (found["same"], found["differ"], found["unanswered"]) == (False, False, [2])
        assert "no answer" in town.run("alice", "ping", code=5).stdout
    finally:
        os.kill(bob, signal.SIGCONT)
    wait_for(lambda: town.json("alice", "check", code=None)["same"])


def test_a_frozen_member_is_named_within_a_short_timeout(dev: Processes) -> None:
    bob = dev.pid("bob")
    os.kill(bob, signal.SIGSTOP)
    try:
        for verb, code in (("check", 6), ("ping", 5)):
            done = dev.run("alice", verb, "--timeout", "1", code=code)
            assert re.search(r"^bob \(id 2\) +no answer", done.stdout, re.MULTILINE), done
            assert not done.stderr, "the own node is well"
    finally:
        os.kill(bob, signal.SIGCONT)


def test_after_the_leaders_death_the_lowest_id_leads(dev: Processes) -> None:
    dev.run("carol", "join", f"{dev.nds}/dev", "--no-ui", "--nick", "carol")
    os.kill(dev.pid("alice"), signal.SIGKILL)
    for name in ("bob", "carol"):
        wait_for(lambda name=name: dev.json(name, "leader")["nick"] == "bob")
    assert dev.run("carol", "send", "still here").stdout.split()[1] == "1/1"
    dev.run("alice", "up")
    wait_for(lambda: len(dev.lines("alice", "tail")) == 1)
    assert dev.json("alice", "leader")["nick"] == "bob", "no bullying back"
    assert dev.run("bob", "check").stdout.endswith("same history on every member\n")
    told = dev.run("bob", "log", str(dev.home("alice")), str(dev.home("bob"))).stdout
    assert " bob " in told
    assert "leads epoch 2" in told
    assert [x[:24] for x in told.splitlines()] == sorted(x[:24] for x in told.splitlines())
    with (dev.home("bob") / "default" / "node.log").open("a") as log:
        log.write("a line of somebody else\n")
    rows = [json.loads(x) for x in dev.lines("bob", "log", "--json", str(dev.home("bob")))]
    assert [row["ts"] for row in rows] == sorted(row["ts"] for row in rows)
    assert {row["profile"] for row in rows} == {"bob"}
    assert any(row["level"] == "info" and "leads epoch 2" in row["text"] for row in rows)
    assert (rows[-1]["level"], rows[-1]["text"]) == (None, "a line of somebody else")


def test_leaving_and_the_last_to_leave(dev: Processes) -> None:
    assert dev.run("bob", "leave", "#dev").stdout == "you left #dev\n"
    assert [x.split()[0] for x in dev.lines("alice", "members")] == ["alice"]
    assert dev.run("bob", "tail", code=3).stderr.startswith("p2pchat: You are in no chat yet")
    assert "so it is gone" in dev.run("alice", "leave").stdout
    assert dev.run("alice", "list").stdout.startswith("no chats yet")


def test_an_election_that_nobody_needs(dev: Processes) -> None:
    assert "stays leader" in dev.run("bob", "election", "--start").stdout
    assert "nobody is to be challenged" in dev.run("alice", "election", "--start").stdout


# ---- streams -----------------------------------------------------------------------------------


def test_tail_follows_and_ends_when_nobody_reads(dev: Processes) -> None:
    dev.run("bob", "send", "past")
    tail = dev.start("alice", "tail", "-f", "--events")
    assert tail.stdout
    assert tail.stdout.readline().endswith("<bob> past\n")
    dev.run("bob", "send", "present")
    assert tail.stdout.readline().endswith("<bob> present\n")
    tail.stdout.close()
    dev.run("bob", "send", "nobody reads this")
    assert tail.wait(WAIT_S) == 0
    assert tail.stderr
    assert tail.stderr.read() == ""


def test_watch_tells_in_json_and_ctrl_c_is_130(dev: Processes) -> None:
    watch = dev.start("alice", "watch")
    assert watch.stdout

    def heard(kind: str) -> dict[str, object]:
        while True:
            assert watch.stdout
            row: dict[str, object] = json.loads(watch.stdout.readline())
            if row["type"] == kind:
                return row

    # The stream may not be open yet: say things until one is heard.
    wait_for(lambda: dev.json("bob", "send", "hello")["complete"])
    dev.run("bob", "send", "again")
    message = heard("message")
    assert (message["v"], message["chat"]) == (1, "dev")
    dev.run("bob", "leave")
    assert heard("member")["change"] == "left"
    watch.send_signal(signal.SIGINT)
    assert watch.wait(WAIT_S) == 130


def test_a_watch_ends_in_the_time_that_it_was_given(dev: Processes) -> None:
    began = time.monotonic()
    done = dev.run("alice", "watch", "--timeout", "0.5", "--history", "1")
    assert time.monotonic() - began >= 0.5
    assert done.stderr == ""
    refused = dev.run("alice", "watch", "--timeout", "soon", code=2)
    assert "--timeout: must be a number of seconds" in refused.stderr


def test_a_watch_whose_reader_has_gone_ends_without_an_event(dev: Processes) -> None:
    watch = dev.start("alice", "watch", "--history", "1")
    dev.run("bob", "send", "hello")
    assert watch.stdout
    watch.stdout.readline()
    watch.stdout.close()
    assert watch.wait(WAIT_S) == 0


@pytest.mark.parametrize("verb", ["tail", "watch"])
def test_a_stream_ends_with_the_node_and_says_so(dev: Processes, verb: str) -> None:
    arguments = ["tail", "-f"] if verb == "tail" else ["watch", "--history", "1"]
    dev.run("bob", "send", "hello")
    stream = dev.start("alice", *arguments)
    assert stream.stdout
    assert "hello" in stream.stdout.readline()
    dev.run("alice", "down")
    _, err = stream.communicate(timeout=WAIT_S)
    assert stream.returncode == 5
    assert (
        err == "p2pchat: No node of the profile 'default' is running. Start it with 'p2pchat up'.\n"
    )


# ---- what is refused ---------------------------------------------------------------------------

REFUSED: list[tuple[list[str], int, str]] = [
    (["send", "-c", "nope", "hi"], 3, "There is no chat #nope"),
    (["ping", "nobody"], 3, "There is no member nobody"),
    (["trace", "ffff"], 3, "There is no message ffff"),
    (["trace", "zz"], 2, "id: must be 4 to 32 hex digits"),
    (["create", "a b"], 2, "name: must be 1 to 64 letters"),
    (["create", "x" * 65], 2, "name: must be 1 to 64 letters"),
    (["join", "not a line"], 2, "line: the name of a chat must be"),
    (["send", ""], 2, "There is nothing to say"),
    (["send", " \t\n"], 2, "There is nothing to say"),
    (["tail", "--since", "99999999999d"], 2, "--since: must be at most 36500d"),
    (["tail", "--since", "9" * 5_000 + "d"], 2, "--since: must be at most 36500d"),
    (["invite", "--expires", "999999999d"], 2, "--expires: must be at most 36500d"),
    (["invite", "--expires", "3651d"], 2, "expires: must be 1 s to 3650 days"),
    (["watch", "--history", "99999999999"], 2, "--history: must be a whole number from 0 to 1000"),
    (
        ["send", "x" * 16_385],
        2,
        "too long: 16385 bytes, the limit is 16384 bytes. Nothing was sent",
    ),
    (["search", ""], 2, "Which text? For example: p2pchat search"),
    (["status", "--timeout", "never"], 2, "--timeout: must be a number of seconds"),
    (["status", "--profile", "a/b"], 2, "--profile:"),
    (["frobnicate"], 2, "there is no verb 'frobnicate'"),
    (["rpc", "Nothing"], 2, "there is no method 'Nothing'"),
    (["log", "/nowhere"], 2, "there is no node.log in /nowhere"),
]


def test_what_makes_no_sense_is_refused_in_one_line(dev: Processes) -> None:
    before = dev.json("bob", "status")["chats"]
    for arguments, code, said in REFUSED:
        done = dev.run("bob", *arguments, code=code)
        assert said in done.stderr, arguments
        assert done.stdout == "", arguments
        assert len(done.stderr.splitlines()) == 1, arguments
    assert dev.json("bob", "status")["chats"] == before


def test_nothing_to_send_is_said_and_without_a_node_is_no_success(dev: Processes) -> None:
    sent = dev.run("bob", "send", stdin="\n\n")
    assert (sent.stdout, sent.stderr) == ("", "nothing to send: stdin has no line\n")
    for text in ((), ("-",), ("--whole",)):
        sent = dev.run("bob", "send", "-c", "nochat", *text, stdin="", code=3)
        assert sent.stderr == "p2pchat: There is no chat #nochat that you are in.\n"
    dev.run("bob", "down")
    for stdin in ("", "a line"):
        sent = dev.run("bob", "send", stdin=stdin, code=5)
        assert "No node of the profile 'default' is running" in sent.stderr
        assert sent.stdout == ""


def test_a_key_that_others_can_read_keeps_the_node_from_starting(town: Processes) -> None:
    town.run("alice", "up")
    town.run("alice", "down")
    key = town.home("alice") / "default" / "identity.key"
    key.chmod(0o644)
    done = town.run("alice", "up", code=1)
    assert f"chmod 600 {key}" in done.stderr
    key.chmod(0o600)
    town.run("alice", "up")


def test_a_damaged_profile_is_refused_and_left_alone(town: Processes) -> None:
    town.run("alice", "up")
    town.run("alice", "down")
    file = town.home("alice") / "default" / "profile.json"
    file.write_text("{broken")
    for verb in ("up", "status"):
        assert f"{file} is damaged" in town.run("alice", verb, code=1).stderr
    assert file.read_text() == "{broken"


def test_a_lost_identity_is_not_made_anew_while_there_are_logs_of_it(dev: Processes) -> None:
    dev.run("bob", "down")
    key = dev.home("bob") / "default" / "identity.key"
    aside = key.rename(key.with_name("aside"))
    for verb, code in (("up", 1), ("status", 5), ("doctor", 1)):
        done = dev.run("bob", verb, code=code)
        if verb != "status":
            assert f"{key} is not there, and without it the logs" in done.stdout + done.stderr
        assert not key.exists()
    other = dev.home("alice") / "default" / "identity.key"
    key.write_bytes(other.read_bytes())
    key.chmod(0o600)
    dev.run("bob", "up")
    assert "belongs to another identity: put its identity.key back" in (
        dev.run("bob", "tail", "-c", "dev", code=1).stderr
    )
    dev.run("bob", "down")
    aside.rename(key)
    dev.run("bob", "up")
    assert dev.json("bob", "status")["problems"] == []


def test_a_profile_that_cannot_be_read_is_in_the_way_of_no_verb_that_asks_a_node(
    dev: Processes,
) -> None:
    file = dev.home("bob") / "default" / "profile.json"
    file.rename(file.with_name("aside"))
    file.mkdir()  # which cannot be read as a file
    for verb in (["status"], ["tail"], ["send", "hello"], ["members"], ["log"]):
        assert "cannot be read" not in dev.run("bob", *verb).stderr
    assert "has ended" in dev.run("bob", "down").stdout
    done = dev.run("bob", "up", code=1)
    assert f"{file} cannot be read: Is a directory. Nothing was changed" in done.stderr
    assert "damaged" not in done.stderr
    assert "cannot be read" in dev.run("bob", "doctor", code=1).stdout


def test_a_damaged_log_is_named_by_every_verb_that_needs_it(town: Processes) -> None:
    town.run("alice", "host", "dev", "--no-ui")
    town.run("alice", "down")
    (log,) = (town.home("alice") / "default" / "chats").glob("*.db")
    for other in log.parent.glob(f"{log.name}-*"):
        other.unlink()
    log.write_bytes(b"noise" * 100)
    for verb in (["up"], ["status"]):
        assert str(log) in town.run("alice", *verb).stderr
    assert str(log) in town.run("alice", "tail", code=1).stderr
    assert log.read_bytes() == b"noise" * 100


def test_an_oversized_line_of_stdin_is_named_and_the_others_are_sent(town: Processes) -> None:
    town.run("alice", "host", "dev", "--no-ui")
    lines = "one\n" + "x" * 20_000 + "\n" + "y" * 600_000 + "\nfour\n"
    done = town.run("alice", "send", "-", stdin=lines, code=2)
    assert (
        "line 2 is not sent: The text is too long: 20000 bytes, the limit is 16384 bytes"
        in done.stderr
    )
    assert "line 3 is not sent: The text is too long: 600000 bytes" in done.stderr
    assert [row.split("> ")[1] for row in town.run("alice", "tail").stdout.splitlines()] == [
        "one",
        "four",
    ]


def test_a_broken_config_is_named_and_the_default_kept(town: Processes) -> None:
    home = town.home("alice")
    home.mkdir()
    (home / "config.toml").write_text('nick = "ally"\ntimeout = "soon"\n')
    done = town.run("alice", "config", "show")
    assert f"{home / 'config.toml'} line 2: key 'timeout'" in done.stderr
    assert "timeout = 10.0  # default" in done.stdout
    assert 'nick = "ally"  # file' in done.stdout
    (home / "config.toml").write_text("[timing]\nt1_ms = 9000\n")
    assert "t1_ms (9000) must be below t2_ms" in town.run("alice", "up", code=2).stderr
    assert town.pid("alice") == 0


def test_a_port_in_use_is_named(town: Processes) -> None:
    listen = town.json("alice", "up")["listen"]
    done = town.run("bob", "up", "--listen", listen, code=1)
    assert f"{listen} is not to be had" in done.stderr


def test_without_a_node_everything_says_how_to_start_one(town: Processes) -> None:
    for verb in ("status", "tail", "list", "leader", "watch", "send"):
        arguments = [verb, "hi"] if verb == "send" else [verb]
        assert "p2pchat up" in town.run("alice", *arguments, code=5).stderr


def test_no_nds_is_exit_4(town: Processes) -> None:
    town.start_nds()
    town.run("alice", "up", "--nds", town.nds)
    town.close()
    town.run("alice", "up", "--nds", town.nds)
    assert town.nds in town.run("alice", "create", "dev", "--nds", town.nds, code=4).stderr
    assert f"NDS {town.nds} does not answer" in town.run("alice", "list", code=4).stderr


# ---- help --------------------------------------------------------------------------------------


def test_help_needs_no_grpc() -> None:
    code = (
        "import sys; sys.argv = ['p2pchat', '--help']\n"
        "from node.cli.verbs import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'grpc', 'asyncio', 'google', 'cryptography', 'prompt_toolkit', 'platformdirs'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Group chat without a message server" in done.stdout


def test_line_mode_and_verbs_never_import_the_full_screen() -> None:
    code = (
        "import sys\n"
        "import node.cli.line, node.cli.verbs_ui, node.cli.verbs_chat, node.cli.verbs_node\n"
        "import node.control.running, node.cli.demo\n"
        "print('prompt_toolkit' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_completion_errors_config_and_rpc(town: Processes) -> None:
    for shell in ("bash", "zsh", "fish"):
        script = town.run("alice", "completion", shell).stdout
        assert "members" in script
        assert "_node" not in script.replace("p2pchat_node", "")
    assert "NDS_UNREACHABLE" in town.run("alice", "errors", "4").stdout
    assert town.lines("alice", "errors")[0].strip().startswith("0  done")
    path = str(town.home("alice") / "config.toml")
    assert town.lines("alice", "config", "path") == [path]
    assert town.json("alice", "config", "path") == {"path": path}
    line = town.run("alice", "rpc", "GetStatus").stdout
    assert line.startswith("grpcurl -plaintext -unix ")
    assert line.endswith("p2pchat.v1.Control/GetStatus\n")


# ---- owner and admins ----------------------------------------------------------------------------


def test_the_owner_removes_and_takes_back_and_everybody_sees_it(dev: Processes) -> None:
    assert dev.lines("alice", "rights") == [
        "owner: alice",
        "admins: none",
        "invite: every member",
        "topic: every member",
    ]
    watching = dev.start("alice", "tail", "-f", "--events", "--json", stdout=subprocess.PIPE)
    refused = dev.run("bob", "kick", "alice", code=7)
    assert "yours to do in #dev: you are a member, that is for its owner and admins" in str(refused)
    (done,) = dev.lines("alice", "kick", "bob")
    assert done.startswith("bob is removed from #dev")
    wait_for(lambda: dev.json("bob", "status")["chats"][0]["halt_reason"] == "REMOVED")
    told = dev.run("bob", "send", "hello?", code=7)
    assert "you were removed by alice" in str(told)
    dev.run("bob", "tail")
    (row,) = [json.loads(x) for x in dev.lines("alice", "members", "--all", "--json")][1:]
    assert (row["state"], row["role"], row["removed_by"]) == ("kicked", None, "alice")
    assert dev.json("alice", "unban", "bob") == {"chat": "dev", "act": "unban", "nick": "bob"}
    line = dev.lines("alice", "invite")[-1]
    dev.run("bob", "join", line, "--no-ui")
    dev.run("alice", "send", "welcome back")
    assert texts(dev.lines("bob", "tail"))[-1] == "#dev <alice> welcome back"
    watching.terminate()
    out, _ = watching.communicate(timeout=WAIT_S)
    rows = [json.loads(line) for line in out.splitlines()]
    found = {row["change"]: row["by_nick"] for row in rows if row["type"] == "member"}
    assert (found["kicked"], found["pardoned"]) == ("alice", "alice")


def test_rights_are_decided_and_kept(dev: Processes) -> None:
    row = dev.json("alice", "rights", "topic", "admins")
    assert row == {
        "chat": "dev",
        "owner": "alice",
        "admins": [],
        "invite": "all",
        "topic": "admins",
    }
    dev.lines("alice", "op", "bob")
    wait_for(lambda: dev.json("bob", "rights")["admins"] == ["bob"])
    dev.lines("alice", "owner", "bob")
    wait_for(lambda: dev.json("bob", "rights")["owner"] == "bob")
    assert dev.json("alice", "rights")["admins"] == ["alice"]
    assert "Who may? For example" in str(dev.run("alice", "rights", "topic", code=2))
    assert "invalid choice: 'me'" in str(dev.run("alice", "rights", "topic", "me", code=2))
