"""Passwords with real processes: headless, on a terminal, in line mode and in the app, and when
whoever led has died.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.programs import Member
from tests.e2e.terminal import Terminal
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("e2e")

PASSWORD, WRONG = "zq7!mv2kd8 hörse", "staple 9 batteries"
JOIN_S = 3.0


def write(directory: Path, password: str, name: str = "password") -> str:
    """A file that nobody else can read."""
    file = directory / name
    file.touch(0o600)
    file.write_text(f"{password}\n")
    return str(file)


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Cluster]:
    """alice leads #dev, which has a password, and bob is in it by that."""
    cluster = Cluster(tmp_path)
    try:
        cluster.nds.start()
        cluster.raise_nodes("alice", "bob", "carol")
        file = write(tmp_path, PASSWORD)
        cluster["alice"].run("create", "dev", "--password-file", file)
        cluster["bob"].run("join", place(cluster), "--no-ui", "--password-file", file)
        yield cluster
        cluster.check_logs()
    finally:
        cluster.close()


def place(cluster: Cluster) -> str:
    return f"{cluster.nds.address}/dev"


def on_terminal(member: Member, *arguments: str) -> Terminal:
    return Terminal(member.command(*arguments), member.environment)


def test_one_joins_headless_by_a_file_or_a_line_of_stdin(dev: Cluster, tmp_path: Path) -> None:
    carol = dev["carol"]
    told = carol.run("join", place(dev), "--no-ui", code=7)
    assert "#dev asks for a password" in told.stderr
    wrong = write(tmp_path, WRONG, "wrong")
    told = carol.run("join", place(dev), "--no-ui", "--password-file", wrong, code=7)
    assert told.stderr.count("\n") == 1
    assert "did not let you in: the password is wrong" in told.stderr
    missing = carol.run("join", place(dev), "--password-file", str(tmp_path / "none"), code=2)
    assert "No such file" in missing.stderr
    empty = carol.run("join", place(dev), "--password-file", "-", stdin="\n", code=2)
    assert "must hold one line" in empty.stderr
    began = time.monotonic()
    flags = ("--no-ui", "--password-file", "-")
    told = carol.run("join", place(dev), *flags, stdin=f"{PASSWORD}\nmore\n")
    assert time.monotonic() - began < JOIN_S
    assert "you are in #dev as carol" in told.stdout
    fresh = write(tmp_path, WRONG, "fresh")
    again = dev["alice"].run("create", "dev", "--password-file", fresh)
    assert "you are in #dev already; 'p2pchat password' changes its password" in again.stderr
    carol.run("send", "-c", "dev", "in by a password")
    wait_for(lambda: dev["bob"].texts("dev") == ["in by a password"], "bob has the line")


def test_the_password_works_with_whoever_leads(dev: Cluster, tmp_path: Path) -> None:
    alice, bob, carol = (dev[name] for name in ("alice", "bob", "carol"))
    alice.pid = alice.row("status")["pid"]
    alice.kill()
    wait_for(lambda: bob.leading("dev").member == bob.id("dev"), "bob leads")
    file = write(tmp_path, PASSWORD)
    carol.run("join", place(dev), "--no-ui", "--password-file", file)
    fresh = write(tmp_path, WRONG, "fresh")
    row = carol.row("password", "dev", "--password-file", fresh)
    assert row == {"chat": "dev", "password": True}
    carol.run("leave", "dev")
    told = carol.run("join", place(dev), "--no-ui", "--password-file", file, code=7)
    assert "the password is wrong" in told.stderr
    carol.run("join", place(dev), "--no-ui", "--password-file", fresh)
    assert carol.row("password", "--none") == {"chat": "dev", "password": False}
    carol.run("leave", "dev")
    told = carol.run("join", place(dev), "--no-ui", code=7)
    assert "lets in who is invited" in told.stderr
    line = bob.row("invite", "-c", "dev")["join"]
    carol.run("join", line, "--no-ui")


def test_on_a_terminal_it_is_asked_for_and_not_shown(dev: Cluster) -> None:
    carol = dev["carol"]
    with on_terminal(carol, "join", place(dev), "--no-ui") as asked:
        asked.until("password of #dev:")
        asked.enter(WRONG)
        assert asked.ended() == 7
        assert "the password is wrong" in asked.text
        assert asked.left_behind() == []
        assert WRONG not in asked.raw
    with on_terminal(carol, "join", place(dev), "--no-ui", "--password") as asked:
        asked.until("password:")
        asked.press("Ctrl+C")
        assert asked.ended() == 130
        assert asked.left_behind() == []
    with on_terminal(carol, "join", place(dev), "--no-ui") as asked:
        asked.until("password of #dev:")
        asked.enter(PASSWORD)
        assert asked.ended() == 0, asked.text
        assert "you are in #dev as carol" in asked.text
        assert PASSWORD not in asked.raw


def test_a_new_one_is_asked_for_twice(dev: Cluster) -> None:
    alice = dev["alice"]
    answers = [
        ((PASSWORD, WRONG), 2, "two different passwords"),
        (("short",), 2, "10 characters or more"),
        ((PASSWORD, PASSWORD), 0, "#ops is there"),
    ]
    for typed, code, said in answers:
        with on_terminal(alice, "create", "ops", "--password") as asked:
            for count, password in enumerate(typed):
                asked.until("the same again:" if count else "new password:")
                asked.enter(password)
            assert asked.ended() == code, asked.text
            assert said in " ".join(asked.text.split())
            assert PASSWORD not in asked.raw
    with on_terminal(alice, "password", "ops") as asked:
        for again in ("new password:", "the same again:"):
            asked.until(again)
            asked.enter(WRONG)
        assert asked.ended() == 0, asked.text
    told = dev["carol"].run("password", "ops", "--none", code=3)
    assert "You are in no chat yet" in told.stderr


def test_line_mode_asks_for_it_and_does_not_show_it(dev: Cluster) -> None:
    carol = dev["carol"]
    with on_terminal(carol, "--plain") as face:
        face.until("you are in no chat yet")
        face.enter(f"/join {place(dev)}")
        face.until("password of #dev")
        face.enter(PASSWORD)
        face.until("you are in #dev as carol")
        face.enter("now this is shown")
        face.until("now this is shown")
        wait_for(lambda: dev["bob"].texts("dev") == ["now this is shown"], "bob has the line")
        assert PASSWORD not in face.raw


def test_the_app_asks_for_it_behind_stars(dev: Cluster) -> None:
    carol = dev["carol"]
    with on_terminal(carol) as app:
        app.until("[p2pchat]")
        app.enter(f"/join {place(dev)}")
        app.until("[password of #dev]")
        app.type(PASSWORD)
        app.until("*" * len(PASSWORD))
        app.press("Enter")
        app.until("you are in #dev as carol")
        app.press("Up")
        app.until(lambda seen: f"/join {place(dev)}" in seen.splitlines()[-1])
        assert PASSWORD not in app.raw
    files = [file for file in carol.home.rglob("*") if file.is_file()]
    assert not [file for file in files if PASSWORD.encode() in file.read_bytes()]


def test_join_opens_the_app_after_it_has_asked(dev: Cluster) -> None:
    carol = dev["carol"]
    carol.down()
    with on_terminal(carol, "join", place(dev)) as app:
        app.until("password of #dev:")
        app.enter(PASSWORD)
        app.until("[#dev]")
        app.enter("hello from the app")
        wait_for(lambda: dev["bob"].texts("dev") == ["hello from the app"], "bob has the line")
        assert PASSWORD not in app.raw
