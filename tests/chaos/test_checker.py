"""What the checker finds in evidence: one story that is well, and many that were doctored."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.chaos.checker import CHECKS, violations
from tests.chaos.evidence import Belongs, Evidence, Grant, Held, Led, Said, Shown, View

FIRST, SECOND = (100, 1), (100, 2)
TEXTS = ("n1 1", "n2 1 re n1 1", "n1 2")
NAMES = {"n1": 1_001, "n2": 1_002, "n3": 1_003}


def held(texts: tuple[str, ...] = TEXTS) -> tuple[Held, ...]:
    """As a database has them: each follows the one before it."""
    found: list[Held] = []
    for k, text in enumerate(texts):
        key = (NAMES[text.split()[0]], 5, 7, k + 1, 0)
        deps = (found[-1].key,) if found else ()
        found.append(Held(key, (1_000 + k, 0, *key), f"id {text}", text, deps))
    return tuple(found)


def well() -> Evidence:
    """Three nodes, an election, three lines: nothing is wrong."""
    evidence = Evidence(listed=(1_002, SECOND))
    for text in TEXTS:
        name, _, answers = text.partition(" re ")
        evidence.said[name] = Said(name, name.split()[0], 1.0, answers, stored_at=1.1, all_at=1.2)
    evidence.grants = [Grant(FIRST, 1_001), Grant(SECOND, 1_002)]
    for node, member in NAMES.items():
        evidence.led += [Led(1.0, node, 1, 1_001, FIRST), Led(2.0, node, 1, 1_002, SECOND)]
        evidence.members |= {Belongs(node, id, f"key {id}", "alive") for id in NAMES.values()}
        evidence.shown += [Shown(3.0, node, 1, text) for text in TEXTS]
        view = View(node, member, 1_002, SECOND, False, "abcd", 3, 3, 0, TEXTS, held())
        evidence.views.append(view)
    return evidence


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert violations(well()) == []


def change(evidence: Evidence, index: int, **fields: Any) -> None:
    evidence.views[index] = replace(evidence.views[index], **fields)


def two_leaders(evidence: Evidence) -> None:
    evidence.led.append(Led(2.5, "n3", 1, 1_003, SECOND))


def two_grants(evidence: Evidence) -> None:
    evidence.grants.append(Grant(SECOND, 1_003))


def lower_grant(evidence: Evidence) -> None:
    evidence.grants.append(Grant((99, 7), 1_002))


def goes_back(evidence: Evidence) -> None:
    evidence.led.append(Led(3.0, "n2", 2, 1_001, FIRST))


def id_of_two(evidence: Evidence) -> None:
    evidence.members.add(Belongs("n1", 1_003, "another key", "left"))


def same_member(evidence: Evidence) -> None:
    change(evidence, 2, member=1_002)


def other_leader(evidence: Evidence) -> None:
    change(evidence, 1, leader=1_001)


def provisional(evidence: Evidence) -> None:
    for k in range(3):
        change(evidence, k, provisional=True)


def led_by_a_stranger(evidence: Evidence) -> None:
    evidence.listed = (1_009, SECOND)
    for k in range(3):
        change(evidence, k, leader=1_009)


def nds_names_another(evidence: Evidence) -> None:
    evidence.listed = (1_001, SECOND)


def nobody_left(evidence: Evidence) -> None:
    evidence.views.clear()


def lost_at_one(evidence: Evidence) -> None:
    change(evidence, 2, history=TEXTS[:2], held=held(TEXTS[:2]))


def lost_everywhere(evidence: Evidence) -> None:
    for k in range(3):
        change(evidence, k, history=TEXTS[:2], held=held(TEXTS[:2]))


def lost_in_the_database(evidence: Evidence) -> None:
    change(evidence, 0, held=held(TEXTS[:2]))


def invented(evidence: Evidence) -> None:
    for k in range(3):
        change(evidence, k, history=(*TEXTS, "n3 1"), held=held((*TEXTS, "n3 1")))


def twice(evidence: Evidence) -> None:
    for k in range(3):
        change(evidence, k, history=(*TEXTS, "n1 2"), held=held((*TEXTS, "n1 2")))


def shown_again(evidence: Evidence) -> None:
    evidence.shown.append(Shown(4.0, "n3", 1, "n1 1"))


def shown_too_early(evidence: Evidence) -> None:
    evidence.shown = [Shown(3.0, "n3", 1, text) for text in (TEXTS[1], TEXTS[0], TEXTS[2])]


def stands_too_early(evidence: Evidence) -> None:
    texts = (TEXTS[1], TEXTS[0], TEXTS[2])
    for k in range(3):
        change(evidence, k, history=texts, held=held(texts))


def author_out_of_order(evidence: Evidence) -> None:
    texts = (TEXTS[2], TEXTS[0], TEXTS[1])
    for k in range(3):
        change(evidence, k, history=texts, held=held(texts))


def other_order(evidence: Evidence) -> None:
    change(evidence, 1, history=(TEXTS[0], TEXTS[2], TEXTS[1]))


def cause_missing(evidence: Evidence) -> None:
    one, two, three = held()
    change(evidence, 1, held=(one, two, replace(three, deps=((9, 9, 9, 9, 0),))))


def cause_above(evidence: Evidence) -> None:
    one, two, three = held()
    change(evidence, 1, held=(replace(one, deps=(three.key,)), two, three))


def one_key_two_texts(evidence: Evidence) -> None:
    one, two, three = held()
    change(evidence, 1, held=(replace(one, text=TEXTS[0], id="another"), two, three))


def fingerprints_differ(evidence: Evidence) -> None:
    change(evidence, 1, fingerprint="dcba")


def one_is_gone(evidence: Evidence) -> None:
    change(evidence, 1, alive=2)


def outbox(evidence: Evidence) -> None:
    change(evidence, 1, outbox=3)


def a_bug(evidence: Evidence) -> None:
    evidence.complaints.append("bug: n1.out: Traceback")


DOCTORED = {
    two_leaders: "S1: epoch (100, 2) has the leaders [1002, 1003]",
    two_grants: "S1: the discovery service issued (100, 2) after (100, 2)",
    lower_grant: "S1: the discovery service issued (99, 7) after (100, 2)",
    goes_back: "S2: n2 goes back",
    id_of_two: "S3: id 1003 is that of 2 identities",
    same_member: "S3: n2 and n3 are both 1002",
    other_leader: "S8: they name different leaders",
    provisional: "S8: 1002 leads epoch (100, 2) provisionally",
    led_by_a_stranger: "S8: 1009 leads, and is none of them",
    nds_names_another: "S8: they follow 1002",
    nobody_left: "S8: nobody could be asked",
    lost_at_one: "S4: the history of n3 lacks what was acknowledged: n1 2",
    lost_everywhere: "acknowledged by all: n1 2",
    lost_in_the_database: "S4: the database of n1 lacks",
    invented: "S4: n1 has lines that nobody said: n3 1",
    twice: "S5: the history of n1 has lines twice: n1 2",
    shown_again: "S5: n3 shows lines again: n1 1",
    shown_too_early: "S6: n3 shows 'n2 1 re n1 1' before 'n1 1'",
    stands_too_early: "S6: in the history of n1 'n2 1 re n1 1' stands before 'n1 1'",
    author_out_of_order: "S7: in the history of n1 'n1 1' stands after a later one",
    other_order: "S7: a line of n1 and of n2 is 'n2 1 re n1 1' and 'n1 2'",
    cause_missing: "S6: n2 holds 'n1 2' without what it follows",
    cause_above: "S7: n2 has 'n1 1' at a place below what it follows",
    one_key_two_texts: "S5: key (1001, 5, 7, 1, 0) is 'n1 1' and, at n2, 'n1 1'",
    fingerprints_differ: "S8: the fingerprints differ",
    one_is_gone: "S8: n2 sees 2 of 3 alive",
    outbox: "S8: n2 sees 3 of 3 alive, 3 lines in its outbox",
    a_bug: "bug: n1.out: Traceback",
}


@pytest.mark.parametrize(
    ("doctor", "found"), DOCTORED.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_what_was_doctored_is_found(doctor: Callable[[Evidence], None], found: str) -> None:
    evidence = well()
    doctor(evidence)
    told = violations(evidence)
    assert any(found in one for one in told), told


def test_no_check_is_there_for_nothing() -> None:
    """Each finds something in some doctored evidence."""
    idle = set(CHECKS)
    for doctor in DOCTORED:
        evidence = well()
        doctor(evidence)
        idle -= {check for check in idle if list(check(evidence))}
    assert not idle


def test_what_was_never_acknowledged_may_be_missing() -> None:
    evidence = well()
    evidence.said["n3 1"] = Said("n3 1", "n3", 5.0, refused="UNAVAILABLE")
    assert violations(evidence) == []
    evidence.said["n3 1"].stored_at = 5.1
    assert len(violations(evidence)) == 6, "in three histories and three databases"


def test_what_was_said_before_one_began_to_watch_need_not_be_shown() -> None:
    evidence = well()
    evidence.shown += [Shown(4.0, "n3", 2, text) for text in TEXTS[1:]]
    assert violations(evidence) == []


def test_a_restart_of_the_watch_shows_lines_again() -> None:
    evidence = well()
    evidence.shown += [Shown(4.0, "n3", 2, text) for text in TEXTS]
    assert violations(evidence) == []
