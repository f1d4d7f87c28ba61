"""Lines that are edited and redacted among real processes: content is gone at all members."""

import json
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from node.rpc.door import FEW
from tests.e2e.cluster import Cluster
from tests.logs import key_of, looked_into, unguarded
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("members")
NAMES = ("alice", "bob", "carol")


def everything(cluster: Cluster, name: str) -> str:
    """All that stands in the logs of a member, decrypted."""
    profile = cluster[name].home / "default"
    return "\n".join(_dumped(log, key_of(profile)) for log in (profile / "chats").glob("*.db"))


def _dumped(log: Path, key: bytes) -> str:
    with closing(looked_into(log, key)) as base:
        tables = [name for (name,) in base.execute("SELECT name FROM sqlite_schema")]
        rows = (base.execute(f"SELECT * FROM {name}") for name in tables if "_" not in name)  # noqa: S608  its own
        return "\n".join(str(row) for table in rows for row in table)


def short(cluster: Cluster, by: str, text: str) -> str:
    """The digits of the line with this text, as people quote them."""
    rows = cluster[by].rows("tail", "-c", "dev", "--json")
    return next(str(row["short"]) for row in rows if row["text"] == text)


def told(cluster: Cluster, name: str) -> list[str]:
    return [line.split("> ", 1)[1] for line in _lines(cluster, name, "tail")]


def _lines(cluster: Cluster, name: str, *verb: str) -> list[str]:
    return cluster[name].run(*verb, "-c", "dev").stdout.splitlines()


def agree(cluster: Cluster, texts: list[str], *names: str) -> None:
    for name in names or NAMES:
        wait_for(
            lambda name=name: told(cluster, name) == texts,  # type: ignore[misc]
            f"{name} reads {texts}",
        )


@pytest.fixture
def trio(cluster: Cluster) -> Cluster:
    cluster.raise_nodes(*NAMES)
    cluster.gather("dev", *NAMES)
    return cluster


def test_what_is_edited_and_redacted_is_gone_at_all_members_and_from_their_files(
    trio: Cluster,
) -> None:
    trio["alice"].run("send", "-c", "dev", "the rough draft")
    trio["bob"].run("send", "-c", "dev", "my password is hunter2")
    trio["carol"].run("send", "-c", "dev", "good morning")
    agree(trio, ["the rough draft", "my password is hunter2", "good morning"])
    done = trio["alice"].run("edit", "-c", "dev", short(trio, "alice", "the rough draft"), "done")
    assert done.stdout.endswith(" is edited\n")
    spilt = short(trio, "bob", "my password is hunter2")
    trio["bob"].run("redact", "-c", "dev", spilt)
    told = trio["bob"].run("edit", "-c", "dev", spilt, "nothing", code=7).stderr
    assert told == "p2pchat: That line of #dev was redacted.\n"
    agree(trio, ["done (edited)", "[redacted by bob]", "good morning"])
    for name in NAMES:
        kept = everything(trio, name)
        assert "rough" not in kept, name
        assert "hunter2" not in kept, name
        assert "good morning" in kept, name
        assert trio[name].rows("search", "-c", "dev", "hunter", "--json") == []
    assert trio["carol"].run("check", "-c", "dev").stdout.endswith("same history on every member\n")


def test_who_was_away_never_has_what_was_redacted_meanwhile(trio: Cluster) -> None:
    trio["bob"].run("send", "-c", "dev", "an early secret")
    agree(trio, ["an early secret"])
    trio["carol"].down()
    trio["bob"].run("send", "-c", "dev", "a late secret", "--wait", "none")
    agree(trio, ["an early secret", "a late secret"], "alice", "bob")
    for text in ("an early secret", "a late secret"):
        trio["bob"].run("redact", "-c", "dev", short(trio, "bob", text))
    agree(trio, ["[redacted by bob]"] * 2, "alice", "bob")
    trio["bob"].down()  # carol gets it from alice alone
    trio["carol"].up()
    agree(trio, ["[redacted by bob]"] * 2, "carol")
    assert "late secret" not in everything(trio, "carol")
    assert "early secret" not in everything(trio, "carol")
    dan = trio.add("dan")
    dan.up("--nick", "dan", "--nds", trio.nds.address)
    dan.run("join", "dev", "--nds", trio.nds.address, "--no-ui")
    agree(trio, ["[redacted by bob]"] * 2, "dan")
    for text in ("early secret", "late secret"):
        assert text not in everything(trio, "dan")


def test_who_looks_into_a_log_in_use_does_it_no_harm(trio: Cluster) -> None:
    """Strangers keep the node looking at its connections; others see the log as one in use, and
    what it moves into its file when a line is redacted is all there.
    """
    alice = trio["alice"]
    (log,) = (alice.home / "default" / "chats").glob("*.db")
    host, _, port = str(alice.ask("GetStatus").listen).rpartition(":")
    with ExitStack() as stack:
        for _ in range(2 * FEW):
            stack.enter_context(socket.create_connection((host, int(port))))
        texts = []
        for number in range(6):
            trio["bob"].say("dev", f"line {number}")
            alice.say("dev", f"secret {number}")
            alice.run("redact", "-c", "dev", short(trio, "alice", f"secret {number}"))
            texts += [f"line {number}", "[redacted by alice]"]
            assert f"line {number}" in everything(trio, "alice")
            assert not unguarded(log)
            time.sleep(0.5)
    assert "sound: 12 lines" in alice.run("doctor", code=None).stdout
    assert not unguarded(log)
    key = alice.home / "default" / "identity.key"
    key.rename(key.with_name("elsewhere"))
    assert "identity.key" in alice.run("doctor", code=None).stdout
    key.with_name("elsewhere").rename(key)
    assert not unguarded(log)
    agree(trio, texts)
    alice.kill()
    alice.up()
    agree(trio, texts)


def test_what_changes_is_told_to_who_watches_and_over_a_restart(
    trio: Cluster, tmp_path: Path
) -> None:
    trio["alice"].run("send", "-c", "dev", "the plan")
    agree(trio, ["the plan"])
    with (tmp_path / "out").open("w") as out:
        watch = trio["bob"].start("tail", "-c", "dev", "-f", "--json", stdout=out)
        rows = [json.loads(row) for row in _written(tmp_path / "out", 1)]
        trio["alice"].run("edit", "-c", "dev", rows[0]["short"], "the other plan")
        _written(tmp_path / "out", 2)
        refused = trio["bob"].run("edit", "-c", "dev", rows[0]["short"], "mine", code=7)
        assert "you can edit your own lines alone" in refused.stderr
        refused = trio["bob"].run("redact", "-c", "dev", rows[0]["short"], code=7)
        assert "those of others its owner and admins can" in refused.stderr
        trio["bob"].run("send", "-c", "dev", "bob's own")
        agree(trio, ["the other plan (edited)", "bob's own"])
        trio["alice"].run("redact", "-c", "dev", short(trio, "alice", "bob's own"))
        found = [json.loads(row) for row in _written(tmp_path / "out", 4)]
        gone = found[2]["short"]
        assert trio["carol"].run("redact", "-c", "dev", gone, code=7).stderr == refused.stderr
        trio["alice"].run("redact", "-c", "dev", gone)
        watch.terminate()
        watch.communicate()
    assert [row["type"] for row in found] == ["message", "change", "message", "change"]
    assert (found[1]["text"], found[1]["edited"], found[1]["by"]["nick"]) == (
        "the other plan",
        True,
        "alice",
    )
    assert (found[3]["text"], found[3]["erased"], found[3]["redacted_by"]) == ("", True, "alice")
    for name in NAMES:
        trio[name].down()
    for name in NAMES:
        trio[name].up()
    agree(trio, ["the other plan (edited)", "[redacted by alice]"])
    again = trio["alice"].run("edit", "-c", "dev", found[3]["short"], "x", code=7)
    assert "you can edit your own lines alone" in again.stderr
    file = tmp_path / "all"
    trio["carol"].run("tail", "-c", "dev", "--export", str(file))
    assert "bob's own" not in file.read_text("utf-8")
    assert "the other plan" in file.read_text("utf-8")


def _written(file: Path, count: int) -> list[str]:
    def rows() -> list[str] | None:
        found = file.read_text("utf-8").splitlines()
        return found if len(found) >= count else None

    return wait_for(rows, f"{count} rows in {file.name}")


def test_a_node_that_dies_right_after_a_redaction_has_erased_it(trio: Cluster) -> None:
    trio["alice"].run("send", "-c", "dev", "burn after reading")
    agree(trio, ["burn after reading"])
    trio["alice"].run("redact", "-c", "dev", short(trio, "alice", "burn after reading"))
    trio["alice"].kill()
    assert "burn after" not in everything(trio, "alice")
    agree(trio, ["[redacted by alice]"], "bob", "carol")


def test_newcomers_of_a_chat_that_hides_its_history_read_nothing_of_before(
    cluster: Cluster,
) -> None:
    cluster.raise_nodes(*NAMES)
    alice, bob, carol = (cluster[name] for name in NAMES)
    line = alice.row("create", "dev", "--nds", cluster.nds.address, "--history", "none")["join"]
    alice.run("send", "-c", "dev", "hired: nobody yet")
    bob.run("join", line, "--no-ui")
    agree(cluster, [], "bob")
    alice.run("send", "-c", "dev", "welcome, bob")
    agree(cluster, ["hired: nobody yet", "welcome, bob"], "alice")
    agree(cluster, ["welcome, bob"], "bob")
    carol.run("join", line, "--no-ui")
    bob.run("send", "-c", "dev", "and carol")
    agree(cluster, ["and carol"], "carol")
    agree(cluster, ["welcome, bob", "and carol"], "bob")
    for name, hidden in (("bob", ["hired"]), ("carol", ["hired", "welcome, bob"])):
        kept = everything(cluster, name)
        assert not [text for text in hidden if text in kept], name
        assert cluster[name].rows("search", "-c", "dev", hidden[-1], "--json") == []
        assert cluster[name].run("unread", "-c", "dev").stdout.split()[0] in ("0", "1")
    done = alice.run("check", "-c", "dev")
    assert done.stdout.endswith("same history on every member\n")
    for name in NAMES:
        cluster[name].down()
    for name in NAMES:
        cluster[name].up()
    agree(cluster, ["and carol"], "carol")
    agree(cluster, ["hired: nobody yet", "welcome, bob", "and carol"], "alice")
