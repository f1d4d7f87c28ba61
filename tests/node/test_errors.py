"""What people are told: the words, the exit codes, and their way over the wire."""

import re

import pytest

from node import errors
from node.errors import Complaint, catalogue, nearest, retold


@pytest.mark.parametrize("kind", catalogue(), ids=lambda kind: kind.__name__)
def test_every_complaint_has_words_a_reason_and_a_listed_exit_code(kind: type[Complaint]) -> None:
    assert kind.__doc__
    assert kind.exit in errors.EXIT_CODES
    assert re.fullmatch(r"[A-Z_]+", kind.reason)


def test_no_two_complaints_share_a_reason() -> None:
    reasons = [kind.reason for kind in catalogue()]
    assert sorted(reasons) == sorted(set(reasons))


@pytest.mark.parametrize(
    ("complaint", "line", "code"),
    [
        (
            errors.NdsUnreachable(address="10.0.0.5:50050"),
            "No NDS answers at 10.0.0.5:50050. Start one there with"
            " 'nds-server --listen 10.0.0.5:50050', or name another with --nds HOST:PORT.",
            4,
        ),
        (
            errors.NdsUnreachable("no.such.host:5", "10.0.0.5:50050"),
            "No NDS answers at no.such.host:5 or 10.0.0.5:50050. See that the name is right and"
            " nds-server runs there, or name another with --nds HOST:PORT.",
            4,
        ),
        (
            errors.NoSuchChat("dve", known=["dev", "ops"]),
            "There is no chat #dve. Did you mean #dev?",
            3,
        ),
        (errors.NoSuchChat("x", " at here"), "There is no chat #x at here.", 3),
        (
            errors.NodeDown(profile="bob"),
            "No node of the profile 'bob' is running. Start it with 'p2pchat up'.",
            5,
        ),
        (errors.Usage(text="{not a field}"), "{not a field}", 2),
        (errors.BadField(field="nick", text="must be short"), "nick: must be short.", 2),
    ],
)
def test_a_complaint_says_what_is_wrong_and_what_to_do(
    complaint: Complaint, line: str, code: int
) -> None:
    assert str(complaint) == line
    assert complaint.exit == code


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb", "a\\nb"),
        ("\u202egpj", "\\u202egpj"),
        ("größe 大", "größe 大"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(said: str, shown: str) -> None:
    complaint = errors.NoSuchChat(said)
    assert str(complaint) == f"There is no chat #{shown}."
    assert complaint.facts["name"] == shown


def test_a_fact_that_is_missing_spoils_no_line() -> None:
    assert str(errors.PeerUnreachable(name="bob")) == "bob does not answer at ?: ?."


def test_a_complaint_that_came_over_the_wire_keeps_its_kind_and_its_words() -> None:
    told = retold("NAME_TAKEN", "as it was said", {"nds": "a:1"})
    assert isinstance(told, errors.NameTaken)
    assert str(told) == "as it was said"
    assert told.facts == {"nds": "a:1"}


def test_an_unknown_reason_is_still_told() -> None:
    told = retold("OF_A_LATER_VERSION", "words")
    assert (type(told), str(told), told.exit) == (Complaint, "words", errors.OTHER)


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("dve", ["dev", "ops"], " Did you mean #dev?"),
        ("zzz", ["dev"], ""),
        ("bogus", ["log"], ""),  # alike in two letters
        ("dev", [], ""),
    ],
)
def test_the_nearest_names_are_offered(name: str, known: list[str], said: str) -> None:
    assert nearest(name, known) == said


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        (
            errors.DiskReadOnly(file="a"),
            "The disk can only be read: a cannot be written, so the node does not start. Make it"
            " writable first.",
        ),
        (
            errors.DiskFull(file="a"),
            "The disk is full: a cannot be written, so the node does not start. Make room first.",
        ),
        (
            errors.DiskFailed(file="a", text="Input/output error"),
            "The disk fails: a: Input/output error. So the node does not start: try again once it"
            " works.",
        ),
    ],
)
def test_a_node_that_cannot_start_has_sent_nothing(failed: errors.DiskFailed, said: str) -> None:
    with pytest.raises(type(failed)) as told, errors.starting():
        raise failed
    assert str(told.value) == said
    assert (told.value.facts, told.value.reason) == (failed.facts, failed.reason)
    assert "Nothing of this" in str(failed)


@pytest.mark.parametrize("kind", [errors.DiskUnreadable, errors.PortInUse])
def test_what_else_keeps_a_node_from_starting_says_so_itself(kind: type[Complaint]) -> None:
    complaint = kind(file="a", text="Input/output error")
    with pytest.raises(kind) as told, errors.starting():
        raise complaint
    assert told.value is complaint
