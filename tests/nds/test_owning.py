"""What owners have signed: nds/service/owning.py, node/core/deciding.py, and what is decided by it.

What is signed is written down twice, since the two programs share no code: here both must agree.
"""

from functools import partial
from itertools import pairwise

import pytest
from msgspec.structs import replace

from nds import record as nds
from nds.record import NOBODY_EXPELLED, Expelled, Facts, Granted, HandOver, Reason, Speaker
from nds.service.owning import expelled, is_handed_over
from nds.service.proofs import Signatures
from node.codec import NDS_METHODS
from node.codec.rosters import put_decision
from node.core import messages as core
from node.core.deciding import Act, Decision, hand_over_statement, statement
from node.core.types import Epoch, Hlc
from node.trust import claims
from p2pchat.v1 import nds_pb2, node_pb2
from tests.nds.test_proofs import signed
from tests.nds.test_record import ANNE, ASK, BOB, CARL, CLAIM, NOW, TEA, kept
from tests.nds.wire_errors import refusal

CHAT = TEA.chat
SECRETS = {name: bytes([n]) * 32 for n, name in enumerate(("key", "olga", "adam", "eve", "mal"), 1)}
KEY, OLGA, ADAM, EVE, MAL = (claims.public(secret) for secret in SECRETS.values())
ID = {"olga": CARL + 1, "adam": BOB, "eve": CARL, "mal": ANNE}  # mal leads
PERSON = {"olga": OLGA, "adam": ADAM, "eve": EVE, "mal": MAL}
OURS = replace(TEA, claim_key=KEY, owner=OLGA, certificate=b"certificate")
MEMBER = Speaker(owner=OLGA, proved=frozenset({KEY}))


def decided(by, act, whom, /, key="", chat=CHAT, **rest):
    """That, as it is signed and sent; `key`: whose key signs it."""
    after = (b"a" * 16, b"b" * 16)
    one = Decision(ID[by], act, Hlc(NOW, 3), ID[whom], PERSON[whom], "tee\u00fc", after)
    one = replace(one, **rest)
    return replace(one, signature=claims.sign(SECRETS[key or by], statement(chat, one)))


def handing(by, to, key="", chat=CHAT):
    said = hand_over_statement(chat, PERSON[to])
    return core.HandedOver(PERSON[by], PERSON[to], claims.sign(SECRETS[key or by], said))


def shown(*decisions, owners=(OLGA,)):
    """Who was removed, with those of all people on whose word."""
    one = expelled(CHAT, list(map(put_decision, decisions)), owners, Signatures())
    by = {person for person in (OLGA, ADAM, EVE, MAL, b"") if person in one.by}
    return one._replace(by=by) if by else NOBODY_EXPELLED


# --- what is signed ------------------------------------------------------------------------------

GONE = Expelled(ANNE, MAL, {OLGA})
OP = partial(decided, "olga", Act.OP, "adam")
KICK = partial(decided, "adam", Act.KICK, "mal")


@pytest.mark.parametrize("act", [Act.KICK, Act.BAN])
def test_the_owner_shows_that_somebody_was_removed(act):
    assert shown(decided("olga", act, "mal")) == GONE
    assert shown(decided("olga", act, "mal"), owners=(EVE, OLGA)) == GONE
    assert shown(decided("olga", act, "mal", after=(), value="", hlc=Hlc(2**41, 0))) == GONE


@pytest.mark.parametrize("act", [Act.KICK, Act.BAN])
def test_so_does_whom_the_owner_made_an_admin(act):
    assert shown(OP(), decided("adam", act, "mal")) == GONE


WRONG = {
    "nothing": (),
    "by who is no owner": (decided("eve", Act.KICK, "mal"),),
    "in the owner's name": (decided("olga", Act.KICK, "mal", key="mal"),),
    "of another chat": (decided("olga", Act.KICK, "mal", chat=CHAT + 1),),
    "without a signature": (replace(decided("olga", Act.KICK, "mal"), signature=b""),),
    "bent to another member": (replace(decided("olga", Act.KICK, "eve"), whom=ANNE),),
    "bent to another act": (replace(decided("olga", Act.DEOP, "mal"), act=Act.KICK),),
    "of no member": (decided("olga", Act.BAN, "mal", whom=0),),
    "no removal": (decided("olga", Act.DEOP, "mal"),),
    "by an admin without what made it one": (KICK(),),
    "by an admin who made itself one": (decided("adam", Act.OP, "adam"), KICK()),
    "by an admin made in the owner's name": (OP(key="adam"), KICK()),
    "by an admin of another chat": (OP(chat=CHAT + 1), KICK()),
    "after what made another an admin": (decided("olga", Act.OP, "eve"), KICK()),
    "after what made nobody an admin": (decided("olga", Act.DEOP, "adam"), KICK()),
    "by another than whom that made an admin": (OP(), decided("eve", Act.KICK, "mal", key="adam")),
    "in an admin's name": (OP(), KICK(key="eve")),
    "by an admin's id with the owner's word about another": (
        replace(OP(), person=EVE),
        KICK(key="eve"),
    ),
    "the wrong way round": (KICK(), OP()),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_does_not_hold_shows_nothing(how):
    assert shown(*WRONG[how]) == NOBODY_EXPELLED


def test_a_hand_over_is_what_its_owner_has_signed_for_that_chat():
    good = handing("olga", "adam")
    bent = good._replace(owner=EVE), good._replace(by=EVE), good._replace(signature=b"s" * 64)
    bad = (*bent, handing("olga", "adam", key="adam"), handing("olga", "adam", chat=CHAT + 1))
    sent = core.Renew(CHAT, ANNE, Epoch(1, 1), "h:2000", False, FACTS, handovers=(*bad, good))
    request = nds_pb2.RenewRequest.FromString(NDS_METHODS[core.Renew].write_request(sent))
    assert len(request.handovers) == 6
    steps = [HandOver(one.by, one.owner, one.signature) for one in request.handovers]
    assert [one for one in steps if is_handed_over(CHAT, one, Signatures())] == [good]


FACTS = core.Facts("tea", 1, 5, Epoch(1, 1), ANNE, "h:2000", 5)


# --- what comes of it ----------------------------------------------------------------------------


def begin(record, by=MEMBER, gone=GONE, **more):
    claim = replace(CLAIM, by=by, expelled=gone, **more)
    return nds.claim_begin(kept(record), claim, NOW)


def test_a_leader_that_was_removed_is_not_asked():
    won = begin(OURS)
    assert isinstance(won.reply, Granted)
    assert (won.record.leader, won.record.epoch.n) == (BOB, OURS.epoch.n + 1)
    assert begin(replace(OURS, answered=False, seen_ms=NOW)).reply.record.leader == BOB


@pytest.mark.parametrize(
    "gone",
    [
        NOBODY_EXPELLED,
        Expelled(BOB, MAL, {OLGA}),
        Expelled(ANNE, MAL, {EVE}),
        Expelled(ANNE, MAL, {b""}),
        Expelled(ANNE, OLGA, {OLGA}),
    ],
    ids=["nobody", "another", "by no owner", "by nobody", "the owner"],
)
def test_any_other_leader_is_asked(gone):
    for record in (OURS, replace(OURS, owner=b"") if not gone.by else OURS):
        assert begin(record, gone=gone).reply == replace(ASK, certificate=b"certificate")


def test_who_removes_must_speak_for_the_network_all_the_same():
    for by in (Speaker(owner=OLGA), Speaker(owner=EVE, proved=frozenset({EVE, ADAM, MAL}))):
        refused = begin(OURS, by)
        assert (refused.record, refused.reply.reason) == (OURS, Reason.WRONG_CLAIM_KEY)
    stale = begin(OURS, expected=OURS.epoch._replace(n=1))
    assert (stale.record, stale.reply.reason) == (OURS, Reason.STALE_EPOCH)
    assert begin(OURS, only_fate=True).reply.reason is Reason.STALE_EPOCH


def test_once_another_leads_who_was_removed_gets_nothing_back():
    """Not by renewing, not by claiming, nor, once there is another key, by the old one."""
    after = begin(OURS).record
    renewal = nds.Renewal(CHAT, ANNE, OURS.epoch, OURS.address, by=MEMBER)
    renewed = nds.renew(kept(after), renewal, NOW)
    assert (renewed.record, renewed.reply.record.leader) == (after, BOB)
    old, new = (
        replace(CLAIM, node=ANNE, nonce=9, by=MEMBER, expected=at.epoch) for at in (OURS, after)
    )
    assert nds.claim_begin(kept(after), old, NOW).reply.reason is Reason.STALE_EPOCH
    ask = nds.claim_begin(kept(after), new, NOW).reply
    alive = nds.Answer(nds.Word.LEADING, after.epoch, BOB)
    refused = nds.claim_finish(kept(after), new, ask, alive, NOW)
    assert (refused.record.leader, refused.reply.reason) == (BOB, Reason.LEADER_ALIVE)
    rotated = replace(after, claim_key=MAL)
    for decision in (
        nds.renew(kept(rotated), renewal, NOW),
        nds.claim_begin(kept(rotated), new, NOW),
    ):
        assert (decision.record, decision.reply.reason) == (rotated, Reason.WRONG_CLAIM_KEY)


def test_with_the_key_that_is_still_registered_it_claims_where_the_new_leader_does_not_answer():
    """So may any member; and the others take it back at once, since what it was stays shown."""
    after = replace(begin(OURS).record, answered=True)
    back = replace(CLAIM, node=ANNE, nonce=9, by=MEMBER, expected=after.epoch)
    ask = nds.claim_begin(kept(after), back, NOW).reply
    won = nds.claim_finish(kept(after), back, ask, nds.Answer(nds.Word.REFUSED), NOW)
    assert won.record.leader == ANNE
    again = begin(won.record, expected=won.record.epoch, nonce=10)
    assert again.record.leader == BOB


STEP, BACK = HandOver(OLGA, ADAM), HandOver(ADAM, OLGA)
RENEWAL = nds.Renewal(CHAT, ANNE, OURS.epoch, OURS.address, by=MEMBER)


def renewed(record, *steps, by=MEMBER):
    renewal = replace(RENEWAL, by=replace(by, handovers=steps))
    return nds.renew(kept(record), renewal, NOW).record


def test_a_hand_over_makes_another_the_registered_owner():
    after = renewed(OURS, STEP)
    assert (after.owner, after.former) == (ADAM, (OLGA,))
    assert renewed(after, STEP) == renewed(after) == after
    claimed = begin(OURS, replace(MEMBER, handovers=(STEP,)), NOBODY_EXPELLED)
    assert (claimed.record.owner, claimed.record.former) == (ADAM, (OLGA,))
    further = renewed(OURS, STEP, HandOver(ADAM, EVE))
    assert (further.owner, further.former) == (EVE, (OLGA, ADAM))
    assert renewed(after, STEP, HandOver(ADAM, EVE)) == further


def test_nobody_is_reached_past_a_step_that_is_missing_or_anothers():
    for steps in ((HandOver(ADAM, EVE),), (HandOver(EVE, MAL), HandOver(MAL, EVE))):
        assert renewed(OURS, *steps).owner == OLGA
    assert renewed(OURS, HandOver(EVE, MAL), STEP).owner == ADAM


def test_the_new_owner_claims_without_the_key_and_the_one_before_no_more():
    new, old = (Speaker(proved=frozenset({who})) for who in (ADAM, OLGA))
    after = renewed(OURS, STEP)
    for record, by, works in (
        (after, new, True),
        (after, old, False),
        (OURS, new, False),
        (OURS, replace(new, handovers=(STEP,)), True),
        (OURS, replace(old, handovers=(STEP,)), False),
        (OURS, replace(new, handovers=(HandOver(EVE, ADAM),)), False),
    ):
        reply = begin(record, by, NOBODY_EXPELLED).reply
        assert isinstance(reply, nds.Ask) if works else reply.reason is Reason.WRONG_CLAIM_KEY


def test_who_gave_it_back_is_not_the_owner_again_by_an_old_word():
    after = renewed(OURS, STEP, BACK)
    assert (after.owner, after.former) == (OLGA, (OLGA, ADAM))
    assert renewed(after, STEP).owner == renewed(after, STEP, BACK).owner == OLGA
    mine = Speaker(proved=frozenset({ADAM}), handovers=(STEP,))
    assert begin(after, mine, NOBODY_EXPELLED).reply.reason is Reason.WRONG_CLAIM_KEY


def test_a_stranger_hands_nothing_on():
    """Though it has seen a hand-over that holds."""
    assert renewed(OURS, STEP, by=Speaker(proved=frozenset({EVE}))) == OURS


def test_whom_an_owner_of_before_removed_or_made_an_admin_counts_after_the_hand_over():
    after = renewed(OURS, STEP)
    assert isinstance(begin(after).reply, Granted)
    both = replace(MEMBER, handovers=(STEP,))
    assert isinstance(begin(OURS, both, Expelled(ANNE, MAL, {ADAM})).reply, Granted)
    assert isinstance(begin(OURS, both, Expelled(ANNE, ADAM, {OLGA})).reply, nds.Ask), "the owner"


def test_as_many_owners_are_remembered_as_a_request_shows():
    people = [bytes([n]) * 32 for n in range(40)]
    steps = [HandOver(*pair) for pair in pairwise(people)]
    record = replace(OURS, owner=people[0])
    for start in range(0, 39, 13):
        record = renewed(record, *steps[start : start + 13])
    assert (record.owner, record.former) == (people[39], tuple(people[24:39]))


def test_a_network_that_was_forgotten_comes_back_to_its_present_owner():
    known = Facts("tea", 1, TEA.created_ms, TEA.epoch, ANNE, TEA.address, 3, claim_key=KEY)
    by = replace(MEMBER, owner=ADAM, handovers=(STEP,))
    for facts in (known, replace(known, claim_key=b"")):
        assert begin(None, by, facts=facts).record.owner == ADAM


# --- over the wire -------------------------------------------------------------------------------


def as_sent(request):
    kind = {core.Claim: nds_pb2.UpdateLeaderRequest, core.Renew: nds_pb2.RenewRequest}
    return kind[type(request)].FromString(NDS_METHODS[type(request)].write_request(request))


async def founded(nds):
    """A network with a leader that says that it leads, come what may; and a claim on it."""
    leader = await nds.leader()
    network = (
        await nds.stub.CreateNetwork(
            nds_pb2.CreateNetworkRequest(
                request_id="00000000-0000-4000-8000-000000000001",
                name="tea",
                leader_address=leader.address,
                claim_key=KEY,
                owner=OLGA,
            )
        )
    ).network
    await leader.was_asked.wait()
    leader.asked.clear()
    epoch = Epoch(network.epoch.generation, network.epoch.n)
    facts = replace(FACTS, epoch=epoch)
    address = "127.0.0.1:1025"
    rest = {"claim_key": KEY, "owner": OLGA}
    claim = core.Claim(
        network.chat_id, network.leader_id + 1, address, epoch, 5, (), 0, False, facts, **rest
    )
    return leader, network, claim


def proved(claim, secret=SECRETS["key"]):
    return as_sent(signed(claim, secret, b""))


async def test_a_leader_that_lies_loses_to_a_claim_that_shows_its_removal(nds):
    leader, network, claim = await founded(nds)
    assert leader.standing == node_pb2.STANDING_LEADING
    chat, mal = network.chat_id, network.leader_id
    good = decided("olga", Act.KICK, "mal", chat=chat, whom=mal)
    tries = {
        "none": (),
        "forged": (decided("olga", Act.KICK, "mal", key="eve", chat=chat, whom=mal),),
        "of another chat": (decided("olga", Act.KICK, "mal", whom=mal),),
        "of another member": (decided("olga", Act.KICK, "mal", chat=chat, whom=mal + 1),),
        "by no admin": (decided("eve", Act.KICK, "mal", chat=chat, whom=mal),),
    }
    for how, removals in tries.items():
        leader.asked.clear()
        said = await refusal(nds.stub.UpdateLeader(proved(replace(claim, removals=removals))))
        assert (said.reason, len(leader.asked)) == ("LEADER_ALIVE", 1), how
    leader.asked.clear()
    other = replace(claim, removals=(good,), owner=EVE)
    assert (await refusal(nds.stub.UpdateLeader(proved(other)))).reason == "LEADER_ALIVE"
    unproved = as_sent(replace(claim, removals=(good,)))
    assert (await refusal(nds.stub.UpdateLeader(unproved))).reason == "WRONG_CLAIM_KEY"
    leader.asked.clear()
    won = await nds.stub.UpdateLeader(proved(replace(claim, removals=(good,))))
    assert (won.network.leader_id, leader.asked) == (claim.node, [])


async def test_an_admins_removal_counts_with_what_made_it_one(nds):
    leader, network, claim = await founded(nds)
    op = decided("olga", Act.OP, "adam", chat=network.chat_id)
    ban = decided("adam", Act.BAN, "mal", chat=network.chat_id, whom=network.leader_id)
    for removals in ((ban,), (op,), (ban, op)):
        said = await refusal(nds.stub.UpdateLeader(proved(replace(claim, removals=removals))))
        assert said.reason == "LEADER_ALIVE"
    leader.asked.clear()
    won = await nds.stub.UpdateLeader(proved(replace(claim, removals=(op, ban))))
    assert (won.network.leader_id, leader.asked) == (claim.node, [])


async def test_after_a_hand_over_the_new_owner_speaks_and_the_one_before_no_more(nds):
    leader, network, claim = await founded(nds)
    leader.standing = node_pb2.STANDING_NOT_LEADING
    forged = (handing("olga", "adam", key="adam", chat=network.chat_id), handing("olga", "adam"))
    claim = replace(claim, claim_key=b"", owner=ADAM, handovers=forged)
    said = await refusal(nds.stub.UpdateLeader(proved(claim, SECRETS["adam"])))
    assert said.reason == "WRONG_CLAIM_KEY"
    claim = replace(claim, handovers=(handing("olga", "adam", chat=network.chat_id),))
    said = await refusal(nds.stub.UpdateLeader(proved(claim, SECRETS["olga"])))
    assert said.reason == "WRONG_CLAIM_KEY"
    won = await nds.stub.UpdateLeader(proved(claim, SECRETS["adam"]))
    assert won.network.leader_id == claim.node
    kept = nds.store._records[network.chat_id]
    assert (kept.owner, kept.former) == (ADAM, (OLGA,))
    epoch = Epoch(won.network.epoch.generation, won.network.epoch.n)
    old = replace(claim, handovers=(), owner=OLGA, expected=epoch, nonce=6)
    said = await refusal(nds.stub.UpdateLeader(proved(old, SECRETS["olga"])))
    assert said.reason == "WRONG_CLAIM_KEY"


async def test_a_removal_by_an_owner_of_before_counts_where_the_hand_over_is_shown(nds):
    leader, network, claim = await founded(nds)
    chat = network.chat_id
    kick = decided("olga", Act.KICK, "mal", chat=chat, whom=network.leader_id)
    claim = replace(claim, removals=(kick,), owner=ADAM)
    assert (await refusal(nds.stub.UpdateLeader(proved(claim)))).reason == "LEADER_ALIVE"
    leader.asked.clear()
    claim = replace(claim, handovers=(handing("olga", "adam", chat=chat),))
    won = await nds.stub.UpdateLeader(proved(claim))
    assert (won.network.leader_id, leader.asked) == (claim.node, [])


async def test_a_renewal_tells_of_a_hand_over_too(nds):
    leader, network, claim = await founded(nds)
    steps = (handing("olga", "adam", chat=network.chat_id),)
    epoch, facts = claim.expected, claim.facts
    renew = core.Renew(
        network.chat_id, network.leader_id, epoch, leader.address, False, facts, handovers=steps
    )
    await nds.stub.Renew(proved(renew))
    assert nds.store._records[network.chat_id].owner == ADAM


@pytest.mark.parametrize(
    ("field", "bad", "limit"),
    [
        ("removals", {"removals": (decided("olga", Act.KICK, "mal"),) * 3}, "at most 2 decisions"),
        (
            "removals",
            {"removals": (replace(decided("olga", Act.KICK, "mal"), signature=b"s"),)},
            "a signature of 64",
        ),
        (
            "removals",
            {"removals": (replace(decided("olga", Act.KICK, "mal"), person=b"p"),)},
            "a person of 32 bytes or none",
        ),
        (
            "removals",
            {"removals": (replace(decided("olga", Act.KICK, "mal"), after=(b"a",)),)},
            "512 ids of 16 bytes",
        ),
        ("handovers", {"handovers": (handing("olga", "adam"),) * 17}, "at most 16"),
        (
            "handovers",
            {"handovers": (handing("olga", "adam")._replace(owner=b"o"),)},
            "two identities of 32 bytes",
        ),
    ],
)
async def test_what_is_too_many_or_of_another_size_is_refused_by_its_name(nds, field, bad, limit):
    _, _, claim = await founded(nds)
    said = await refusal(nds.stub.UpdateLeader(proved(replace(claim, **bad))))
    assert said.code.name == "INVALID_ARGUMENT"
    assert limit in said.fields[field][0]
