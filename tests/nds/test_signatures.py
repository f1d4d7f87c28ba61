"""Which signatures are looked at, and what they cost: nds/service/proofs.py, nds/service/owning.py.

They are counted; how long each takes is for no test.
"""

import pytest
from msgspec.structs import replace

from nds import budget
from nds import record as nds_record
from nds.budget import Budget, Exceeded, Rate
from nds.record import Reason
from nds.service import LISTING_PAGE, proofs, wire
from nds.service.proofs import SIGNATURES_FREE, Caller, Signatures
from node.core import messages as core
from node.core.deciding import Act, hand_over_statement
from node.core.types import Epoch
from node.trust import claims
from p2pchat.v1 import nds_pb2
from tests.nds.conftest import until
from tests.nds.test_owning import (
    ADAM,
    EVE,
    FACTS,
    KEY,
    MAL,
    OLGA,
    OURS,
    SECRETS,
    as_sent,
    decided,
    founded,
)
from tests.nds.test_proofs import signed
from tests.nds.test_record import BOB, NOW, kept
from tests.nds.wire_errors import refusal

CHAT = OURS.chat
BAD = b"s" * 64
EPOCH = Epoch(*OURS.epoch)
CLAIM = core.Claim(CHAT, BOB, "127.0.0.1:1025", EPOCH, 5, (), 0, False, FACTS, KEY, OLGA)
PEOPLE = [bytes([n]) * 32 for n in range(20, 37)]
LINE = (OLGA, *map(claims.public, PEOPLE[1:]))
CHAIN = tuple(
    core.HandedOver(by, owner, claims.sign(secret, hand_over_statement(CHAT, owner)))
    for by, owner, secret in zip(LINE[:-1], LINE[1:], (SECRETS["olga"], *PEOPLE[1:-1]), strict=True)
)


class Counted:
    """How many signatures were looked at, and how many of them were paid for."""

    def __init__(self) -> None:
        self.looked_at, self.paid = 0, 0

    def spend(self) -> None:
        self.paid += 1


@pytest.fixture
def counted(monkeypatch):
    made, sound = Counted(), proofs.is_signed

    def counting(key, signature, said):
        made.looked_at += 1
        return sound(key, signature, said)

    monkeypatch.setattr(proofs, "is_signed", counting)
    return made


def begin(request, counted, record=OURS):
    """What a claim comes to; nobody pays but for what is looked at."""
    caller = Caller("", b"certificate", counted.spend, Signatures(counted.spend))
    claim = wire.claim(as_sent(request), NOW, caller)
    done = nds_record.claim_begin(kept(record), claim, NOW)
    assert counted.paid == max(0, counted.looked_at - SIGNATURES_FREE)
    return done


def laden(request, key=EVE, owner=EVE):
    """With as much to look at as there may be, by those keys."""
    return replace(
        request,
        proofs=tuple(core.Proof(key, bytes([n]) * 64) for n in range(8)),
        handovers=tuple(core.HandedOver(owner, ADAM, bytes([n]) * 64) for n in range(16)),
        removals=tuple(decided("olga", Act.KICK, "mal", key="eve") for _ in range(2)),
    )


# --- a stranger's --------------------------------------------------------------------------------


async def test_of_a_malformed_request_none_is_looked_at(nds, counted):
    proof, step = {"key": KEY, "signature": BAD}, {"by": OLGA, "owner": ADAM, "signature": BAD}
    both = {"proofs": [proof], "handovers": [step]}
    for call in (
        nds.stub.UpdateLeader(as_sent(laden(replace(CLAIM, address="127.0.0.1:9"), KEY, OLGA))),
        nds.stub.Renew(nds_pb2.RenewRequest(chat_id=1, address="127.0.0.1:9", **both)),
        nds.stub.DeleteNetwork(nds_pb2.DeleteNetworkRequest(chat_id=1, proofs=[proof])),
    ):
        assert (await refusal(call)).reason == "BAD_FIELD"
    assert counted.looked_at == 0


def test_of_a_network_that_is_not_there_none_is_looked_at(counted):
    facts = replace(FACTS, epoch=Epoch(0, 0))
    request = replace(laden(CLAIM, KEY, OLGA), facts=facts)
    assert begin(request, counted, None).reply.reason is Reason.UNKNOWN_NETWORK
    assert counted.looked_at == 0


def test_only_those_are_looked_at_whose_keys_the_record_names(counted):
    assert begin(laden(CLAIM), counted).reply.reason is Reason.WRONG_CLAIM_KEY
    assert counted.looked_at == 0


def test_each_is_looked_at_once_and_no_removal_of_who_does_not_speak_for_the_network(counted):
    assert begin(laden(CLAIM, KEY, OLGA), counted).reply.reason is Reason.WRONG_CLAIM_KEY
    assert counted.looked_at == 8 + 16


# --- a member's ----------------------------------------------------------------------------------


def test_of_an_honest_claim_that_by_the_claim_key_is_looked_at(counted):
    mine = signed(CLAIM).proofs  # by the first of SECRETS
    more = tuple(signed(CLAIM, secret).proofs[0] for secret in list(SECRETS.values())[1:])
    request = replace(CLAIM, proofs=(*more, *mine))
    assert isinstance(begin(request, counted).reply, nds_record.Ask)
    assert counted.looked_at == 1


def test_hand_overs_that_are_registered_are_not_looked_at_again(counted):
    request = signed(replace(CLAIM, handovers=CHAIN))
    after = begin(request, counted).record
    assert (after.owner, counted.looked_at) == (LINE[-1], 1 + len(CHAIN))
    counted.looked_at = counted.paid = 0
    assert begin(request, counted, after).record == after
    assert counted.looked_at == 1


def test_an_owner_at_the_end_of_the_longest_chain_overrides_for_what_that_costs(counted):
    request = replace(CLAIM, claim_key=b"", owner=LINE[-1], handovers=CHAIN)
    done = begin(signed(request, PEOPLE[-1]), counted)
    assert isinstance(done.reply, nds_record.Ask)
    assert (done.record.owner, counted.looked_at) == (LINE[-1], 1 + len(CHAIN))


def test_a_removal_is_tried_with_owners_of_the_record_that_the_claim_names(counted):
    removals = decided("olga", Act.OP, "adam"), decided("adam", Act.KICK, "mal")
    won = begin(signed(replace(CLAIM, removals=removals)), counted)
    assert (won.record.leader, counted.looked_at) == (BOB, 3)
    counted.looked_at = counted.paid = 0
    former = replace(OURS, former=LINE[1:])
    assert begin(signed(replace(CLAIM, removals=removals)), counted, former).record.leader == BOB
    assert counted.looked_at == 3
    for record, more in (
        (OURS, {"owner": EVE}),
        (replace(OURS, leader=BOB + 5), {}),
        (replace(OURS, owner=MAL), {"owner": MAL}),
        (OURS, {"removals": removals[1:] * 2}),
    ):
        counted.looked_at = counted.paid = 0
        request = signed(replace(CLAIM, **{"removals": removals} | more))
        assert isinstance(begin(request, counted, record).reply, nds_record.Ask)
        assert counted.looked_at == 1, more


# --- what is paid --------------------------------------------------------------------------------


def test_who_has_nothing_left_is_refused_before_more_is_looked_at(counted):
    def spend():
        counted.spend()
        if counted.paid > 3:
            raise Exceeded(budget.Excess("calls", 1.0))

    caller = Caller("", b"certificate", spend, Signatures(spend))
    claim = wire.claim(as_sent(laden(CLAIM, KEY, OLGA)), NOW, caller)
    with pytest.raises(Exceeded):
        nds_record.claim_begin(kept(OURS), claim, NOW)
    assert counted.looked_at == SIGNATURES_FREE + 3


async def test_an_address_pays_for_what_it_has_looked_at(nds, monkeypatch):
    _, network, claim = await founded(nds)
    await until(lambda: nds.store._records[network.chat_id].answered)
    monkeypatch.setattr(budget, "CALLS", Rate(0.001, 30, "calls"))
    nds.service.budget = Budget()
    before = dict(nds.store._records)
    request = as_sent(laden(claim, KEY, OLGA))
    assert (await refusal(nds.stub.UpdateLeader(request))).reason == "WRONG_CLAIM_KEY"
    said = await refusal(nds.stub.UpdateLeader(request))
    assert (said.code.name, said.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS")
    assert nds.store._records == before
    proof = signed(claim, shows=b"")
    assert (await refusal(nds.stub.UpdateLeader(as_sent(proof)))).reason == "LEADER_ALIVE"


async def test_long_lists_are_paid_for(nds, monkeypatch):
    for number in range(1, 2 * LISTING_PAGE + 1):
        await nds.create(f"n{number:03}", number=number)
    monkeypatch.setattr(budget, "CALLS", Rate(0.001, 12, "calls"))

    async def read(size):
        request = nds_pb2.GetNetworkInformationRequest(page_size=size)
        return len((await nds.stub.GetNetworkInformation(request)).networks)

    nds.service.budget = Budget()
    for _ in range(50):
        assert await read(LISTING_PAGE) == LISTING_PAGE, "in the price of the call"
    assert await read(10 * LISTING_PAGE) == 2 * LISTING_PAGE
    assert (await refusal(read(5 * LISTING_PAGE))).reason == "TOO_MANY_CALLS"
    monkeypatch.setattr(budget, "CALLS", Rate(0.001, 1, "calls"))
    nds.service.budget = Budget()
    watch = nds.stub.WatchNetworks(nds_pb2.WatchNetworksRequest())
    for _ in range(2 * LISTING_PAGE):
        assert (await watch.read()).network.name
    assert (await refusal(watch.read())).reason == "TOO_MANY_CALLS"
