"""Dialogues about node/core/granting.py: epochs that the registry has signed, and others."""

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.events import Started
from node.core.granting import statement
from node.core.messages import NO_GRANT, Grant, Roster
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Epoch
from tests.sim.signing import REGISTRY, granted, signer

from .cast import BEFORE, CHAT, EPOCH, NEXT, WALL, address, person, record
from .dialogue import Dialogue, follower, leading, outsider, returning
from .test_joining import welcome

GRANTS = {"signs": {"granted": granted}}
AFTER = Epoch(NEXT.generation, NEXT.n + 1)


def grant(leader: int, epoch: Epoch = NEXT, chat: int = CHAT, by: bytes = REGISTRY) -> Grant:
    made = Grant(claim_key=b"k" * 32)
    return made._replace(signature=signer(by)(statement(chat, epoch, leader, made)))


def coordinator(talk: Dialogue, by: int, shown: Grant, epoch: Epoch = NEXT) -> m.Coordinator:
    view = talk.view(by, epoch=epoch, leader=by, leader_address=address(by), grant=shown)
    return m.Coordinator(talk.caller(by, epoch=epoch), view, provisional=False)


FORGED = {
    "none": NO_GRANT,
    "of another service": grant(3, by=b"mallory"),
    "of another member": grant(2),
    "of another epoch": grant(3, AFTER),
    "of another chat": grant(3, chat=CHAT + 1),
    "of another claim key": grant(3)._replace(claim_key=b"j" * 32),
    "of another certificate": grant(3)._replace(certificate_hash=b"c" * 32),
}


@pytest.mark.parametrize("shown", FORGED.values(), ids=FORGED)
def test_nobody_is_followed_who_says_that_it_leads_and_does_not(shown: Grant) -> None:
    talk = follower(4, 1, 2, 3, **GRANTS)
    talk.hears(coordinator(talk, 3, shown))
    assert (talk.group.epoch, talk.group.leader) == (EPOCH, 1)
    assert [s.reason for s in talk.of(e.Dropped)] == ["an epoch that the registry has not granted"]
    talk.hears(coordinator(talk, 3, grant(3)))
    assert (talk.group.epoch, talk.group.leader) == (NEXT, 3)


def test_where_the_registrys_key_is_not_known_members_are_believed() -> None:
    for signs in ({"granted": lambda *_: None}, {}):
        talk = follower(4, 1, 2, 3, signs=signs)
        talk.hears(coordinator(talk, 3, NO_GRANT))
        assert (talk.group.epoch, talk.group.leader) == (NEXT, 3)


def test_who_was_granted_an_epoch_shows_that_to_all_and_keeps_it() -> None:
    talk = returning(1, 2, 3, leader=1, epoch=BEFORE, **GRANTS)
    talk.hand(Started(WALL))
    won = talk.granted(EPOCH)
    mine = grant(1, EPOCH)
    talk.answer(m.Claim, replace(won, record=replace(won.record, grant=mine)))
    assert {r.view.grant for r in talk.sent(m.Coordinator)} == {mine}
    assert talk.of(e.StoreMeta)[-1].meta.grant == mine
    for before, shown in ((BEFORE, mine), (EPOCH, NO_GRANT), (NEXT, NO_GRANT)):
        ping = m.Ping(talk.caller(2, epoch=before), talk.view(2, epoch=before))
        assert talk.hears(ping).view.grant == shown, "a heartbeat is small"
    pings = [r for r in talk.wait(LAN.t2_ms * 2) if isinstance(getattr(r, "request", None), m.Ping)]
    assert all(call.request.view.grant == NO_GRANT for call in pings)


def test_a_leader_shows_it_to_a_registry_that_went_back() -> None:
    talk = returning(1, 2, 3, leader=1, epoch=BEFORE, **GRANTS)
    talk.hand(Started(WALL))
    won = talk.granted(EPOCH)
    talk.answer(m.Claim, replace(won, record=replace(won.record, grant=grant(1, EPOCH))))
    for asked, shown in ((BEFORE, grant(1, EPOCH)), (EPOCH, NO_GRANT), (NEXT, NO_GRANT)):
        caller = m.Caller(CHAT, 0, 0, Epoch(0, 0))
        assert talk.hears(m.Ping(caller, None, asks_leading=asked)).view.grant == shown


def test_a_follower_shows_it_to_who_lags_behind() -> None:
    talk = follower(4, 1, 2, 3, **GRANTS, grant=grant(1, EPOCH))
    late = talk.caller(2, epoch=BEFORE)
    view = talk.view(2, epoch=BEFORE)
    answers = [
        talk.hears(m.Ping(late, view)),
        talk.hears(m.Elect(late, view)),
        talk.hears(m.Coordinator(late, view, provisional=False)),
        talk.hears(m.Update(late, Roster())),
    ]
    assert {answer.view.grant for answer in answers} == {grant(1, EPOCH)}


@pytest.mark.parametrize("shown", [grant(3), FORGED["of another service"]])
def test_who_calls_with_a_higher_epoch_is_asked_to_show_its_grant_with_the_registry_away(
    shown: Grant,
) -> None:
    talk = follower(4, 1, 2, 3, **GRANTS)
    talk.hold(m.Ping)
    talk.cut_registry()
    talk.hears(m.Ping(talk.caller(2, epoch=NEXT), talk.view(2, epoch=NEXT, leader=3)))
    asked = talk.wait_for(m.Ping, 2)
    assert asked.caller.epoch == EPOCH
    talk.answer(m.Ping, talk.pong(member=2, epoch=NEXT, leader=3, grant=shown), to=2)
    assert talk.group.epoch == (NEXT if shown == grant(3) else EPOCH)


def test_a_leader_tells_the_registry_what_that_signed_last() -> None:
    """It has another claim key since, which a registry that forgets must not."""
    talk = leading(1, 2, **GRANTS)
    talk.hold(m.Renew)
    for at in (b"1", b"2"):
        made = grant(1, EPOCH)._replace(claim_key=at * 32)
        talk.wait_for(m.Renew)
        talk.answer(m.Renew, m.RecordRead(replace(talk.record, grant=made)))
        assert talk.of(e.StoreMeta)[-1].meta.grant == made
        assert talk.wait_for(m.Renew).facts.grant == made
        talk.answer(m.Renew, m.RecordRead(talk.record))
    assert talk.wait_for(m.Renew).facts.grant == made, "and is not talked out of it"


def test_the_registry_itself_is_asked_first_and_believed() -> None:
    talk = follower(4, 1, 2, 3, **GRANTS)
    talk.record = replace(record(3, NEXT), grant=grant(3))
    talk.hears(m.Ping(talk.caller(2, epoch=NEXT), talk.view(2, epoch=NEXT, leader=3)))
    assert (talk.group.epoch, talk.group.leader) == (NEXT, 3)
    late = talk.hears(m.Ping(talk.caller(2, epoch=EPOCH), talk.view(2, epoch=EPOCH)))
    assert late.view.grant == grant(3), "as the registry told it"


def test_of_two_that_a_lying_registry_made_leaders_of_one_epoch_the_lower_is_followed() -> None:
    talk = follower(4, 1, 2, 3, **GRANTS)
    for by in (3, 2, 3):
        talk.hears(coordinator(talk, by, grant(by)))
        drops = [s.reason for s in talk.of(e.Dropped)]
        assert (talk.group.leader == 3) == (drops == [])
    assert (talk.group.epoch, talk.group.leader) == (NEXT, 2)
    talk.hears(coordinator(talk, 1, NO_GRANT))
    assert talk.group.leader == 2, "without a grant nobody is"


def test_such_a_leader_steps_down_before_a_lower_one_and_not_before_a_higher() -> None:
    talk = leading(2, 1, 3, **GRANTS)
    talk.hears(coordinator(talk, 3, grant(3, EPOCH), EPOCH))
    assert talk.group.leads
    talk.hears(coordinator(talk, 1, grant(1, EPOCH), EPOCH))
    assert not talk.group.leads
    assert talk.group.leader == 1


@pytest.mark.parametrize("gone", [None, {"left": True}, {"kicked": True}])
def test_a_leader_who_does_not_belong_is_not_called(gone: dict[str, bool] | None) -> None:
    """A lying registry names somebody else, and where that one is."""
    others = [] if gone is None else [person(9, card=m.Card(b"nine", b"", b""), **gone)]
    signs = {"granted": granted, "shows": b"certificate"}
    talk = follower(4, 1, 2, 3, *others, signs=signs)
    talk.record = replace(record(9, NEXT), address=address(9), grant=grant(9))
    talk.wait(3 * LAN.record_ms)
    assert talk.group.epoch == NEXT
    called = [s for _, s in talk.log if isinstance(s, e.Call) and address(9) in (s.address, s.to)]
    assert called == []


def test_a_newcomer_that_leads_introduces_itself_to_who_does_not_know_it() -> None:
    talk = returning(3, 1, 2, leader=3, epoch=BEFORE)
    talk.hand(Started(WALL))
    talk.hold(m.Coordinator, m.Update)
    talk.answer(m.Claim, talk.granted(EPOCH))
    talk.answer(m.Coordinator, m.Refusal(Reason.UNKNOWN_MEMBER), to=2)
    told = talk.call(m.Update, 2).request
    assert [one.id for one in told.roster.members] == [3]
    talk.answer(m.Update, m.Updated(m.NOBODY, talk.view(2)), to=2)
    assert talk.callees(m.Coordinator) == [1, 2], "and says so again"
    talk.answer(m.Coordinator, m.Refusal(Reason.UNKNOWN_MEMBER), to=2)
    assert talk.callees(m.Coordinator) == [1]


def test_an_outsiders_grant_for_a_members_id_leads_nobody_to_it() -> None:
    """Its calls go to the certificate in the member's card, whatever address is named."""
    card = m.Card(b"three", b"", b"")
    talk = follower(4, 1, 2, person(3, card=card), signs={"granted": granted, "shows": b"c"})
    talk.record = replace(record(3, NEXT), address="outside:1", grant=grant(3))
    talk.kill(1)
    talk.wait(3 * LAN.record_ms)
    called = [s for _, s in talk.log if isinstance(s, e.Call) and s.address == "outside:1"]
    assert called
    assert {call.certificate for call in called} == {b"three"}


@pytest.mark.parametrize("by", [REGISTRY, b"another"])
def test_a_newcomer_follows_nobody_whom_its_own_registry_has_not_made_leader(by: bytes) -> None:
    """It may have taken a wrong one for it, and would hear of no later leader."""
    talk = outsider(at="m1:7000", granted=granted)
    said = welcome(talk, 9, 1)
    view = replace(said.view, grant=grant(1, said.view.epoch, by=by))
    talk.answer(m.Join, replace(said, view=view))
    failed = [one.reason for one in talk.of(e.JoinFailed)]
    assert (failed, len(talk.of(e.Joined))) == (([], 1) if by == REGISTRY else (["WRONG_NDS"], 0))
