"""Who speaks for a network: nds/service/proofs.py, node/trust/claims.py, and what is decided.

What is signed is written down twice, since the two programs share no code: here both must agree.
"""

import hashlib

import pytest
from google.protobuf.message import Message
from msgspec.structs import replace

from nds import record as nds
from nds.record import Create, Epoch, Facts, Granted, Reason, Removal, Renewal, Speaker
from nds.service.proofs import Caller, Proved, Signatures, statement
from node.codec import NDS_METHODS
from node.core import messages as core
from node.core.proving import statement as as_nodes_say
from node.core.types import Epoch as TheirEpoch
from node.trust import claims
from p2pchat.v1 import nds_pb2
from tests.nds.test_record import ANNE, ASK, BOB, CARL, CLAIM, NOW, TEA, kept
from tests.nds.wire_errors import refusal

OLD, NEW, OWNER, STRANGE = (claims.public(bytes([n]) * 32) for n in (1, 2, 3, 4))
OURS = replace(TEA, claim_key=OLD, owner=OWNER)
MEMBER, FOUNDER, STRANGER = (Speaker(proved=frozenset({key})) for key in (OLD, OWNER, STRANGE))
KINDS: dict[type, type[Message]] = {
    core.Claim: nds_pb2.UpdateLeaderRequest,
    core.Renew: nds_pb2.RenewRequest,
    core.Delete: nds_pb2.DeleteNetworkRequest,
}
FACTS = core.Facts("tea", 1, 5, TheirEpoch(1_700_000_000, 3), 7, "h:2000", 5)
REQUESTS = [
    core.Claim(7, 8, "h:2000", FACTS.epoch, 2**64 - 1, (8,), 2, False, FACTS, OLD, OWNER),
    core.Renew(7, 8, FACTS.epoch, "h:2000", True, FACTS, NEW, OWNER),
    core.Delete(7, FACTS.epoch),
]


def sent(request):
    """As it comes to the service."""
    return KINDS[type(request)].FromString(NDS_METHODS[type(request)].write_request(request))


def signed(request, secret=b"\1" * 32, shows=b"certificate"):
    signature = claims.sign(secret, as_nodes_say(request, shows))
    return replace(request, proofs=(core.Proof(claims.public(secret), signature),))


def proved(request, certificate):
    """Of all keys that it names, those that it proves."""
    by = Proved(request, Caller("", certificate, Signatures()))
    return {one.key for one in request.proofs if one.key in by}


# --- what is signed ------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("shows", [b"", b"certificate"])
def test_node_and_service_mean_the_same(request_, shows):
    assert statement(sent(request_), shows) == as_nodes_say(request_, shows)


def test_the_statement_is_what_the_proto_says():
    shown = hashlib.sha256(b"certificate").digest()
    text = f"UpdateLeader|7|8|1700000000.3|{2**64 - 1}|h:2000|{OLD.hex()}|{OWNER.hex()}"
    said = statement(sent(REQUESTS[0]), b"certificate")
    assert said == b"p2pchat claim 1\0" + shown + text.encode()


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: type(one).__name__)
def test_a_signature_proves_its_key_for_that_request_and_certificate_alone(request_):
    good = sent(signed(request_))
    assert proved(good, b"certificate") == {OLD}
    assert proved(good, b"another") == proved(good, b"") == frozenset()
    assert proved(sent(signed(request_, shows=b"")), b"") == {OLD}
    for field in good.DESCRIPTOR.fields:
        if field.name in {"proofs", "votes", "electorate", "only_fate", "want_ids", "facts"}:
            continue  # What is asked for in whose name; the rest is safe to alter.
        if field.name in {"removals", "handovers"}:
            continue  # They prove themselves.
        other = type(good)()
        other.CopyFrom(good)
        value = getattr(other, field.name)
        if field.message_type is not None:
            value.n += 1
        else:
            setattr(
                other, field.name, value + type(value)(b"1") if value == b"" else changed(value)
            )
        assert not proved(other, b"certificate"), field.name


def changed(value):
    match value:
        case int():
            return value - 1
        case str():
            return f"{value}1"
    return bytes(32)


def test_a_key_that_is_none_and_a_signature_of_another_prove_nothing():
    request = signed(REQUESTS[0])
    (proof,) = request.proofs
    for bad in (proof._replace(key=NEW), proof._replace(key=b"\xff" * 32)):
        assert not proved(sent(replace(request, proofs=(bad,))), b"certificate")
    both = (proof, core.Proof(NEW, proof.signature))
    assert proved(sent(replace(request, proofs=both)), b"certificate") == {OLD}


# --- what comes of it ----------------------------------------------------------------------------


def begin(record, by, **more):
    return nds.claim_begin(kept(record), replace(CLAIM, by=by, **more), NOW)


def test_who_speaks_for_a_network_may_claim_it():
    assert begin(OURS, MEMBER).reply == replace(ASK, certificate=OURS.certificate)
    assert begin(OURS, FOUNDER).reply == ASK
    assert begin(TEA, STRANGER).reply == ASK, "one of before has no key"


@pytest.mark.parametrize("by", [STRANGER, Speaker(), Speaker(STRANGE, STRANGE)])
def test_who_does_not_changes_nothing_whatever_it_knows(by):
    """Not even what facts repair: a stranger's are lies."""
    facts = Facts("tea", 1, 5, Epoch(TEA.epoch.generation + 9, 1), CARL, "10.6.6.6:6666", 900)
    removal = Removal(OURS.chat, facts.epoch, by)
    renewal = Renewal(OURS.chat, ANNE, OURS.epoch, "10.6.6.6:6666", facts=facts, by=by)
    for record in (OURS, replace(OURS, deleted=True)):
        shown = None if record.deleted else record
        for decision in (
            begin(record, by, facts=facts),
            begin(record, by, facts=facts, only_fate=True),
            begin(record, by, nonce=OURS.nonce, node=OURS.leader),
            nds.renew(kept(record), renewal, NOW),
            nds.remove_begin(kept(record), removal),
            nds.claim_finish(
                kept(record), replace(CLAIM, by=by), ASK, nds.Answer(nds.Word.REFUSED), NOW
            ),
        ):
            assert decision.record == record
            assert decision.generation == kept(record).generation
            assert (decision.reply.reason, decision.reply.record) == ("WRONG_CLAIM_KEY", shown)


def test_a_leader_changes_the_key_and_who_has_the_old_one_speaks_no_more():
    renewal = Renewal(OURS.chat, ANNE, OURS.epoch, OURS.address, by=replace(MEMBER, claim_key=NEW))
    after = nds.renew(kept(OURS), renewal, NOW).record
    assert (after.claim_key, after.owner) == (NEW, OWNER)
    assert begin(after, MEMBER).reply.reason is Reason.WRONG_CLAIM_KEY
    assert begin(after, replace(MEMBER, proved=frozenset({OLD, NEW}))).reply == ASK
    assert begin(after, FOUNDER).reply == ASK
    again = nds.renew(kept(after), replace(renewal, by=Speaker(proved=frozenset({NEW}))), NOW)
    assert again.record.claim_key == NEW, "empty: as it is"


def test_a_deposed_leader_changes_no_key():
    later = replace(OURS, epoch=Epoch(OURS.epoch.generation, OURS.epoch.n + 1), leader=BOB)
    renewal = Renewal(OURS.chat, ANNE, OURS.epoch, OURS.address, by=replace(MEMBER, claim_key=NEW))
    assert nds.renew(kept(later), renewal, NOW).record == later


def test_a_claim_registers_a_key_and_an_owner_only_where_there_is_none():
    gone = nds.Answer(nds.Word.REFUSED)
    by = Speaker(NEW, STRANGE, frozenset({OLD, NEW}), b"certificate")
    for record, key, owner in ((OURS, OLD, OWNER), (TEA, NEW, STRANGE)):
        won = nds.claim_finish(kept(record), replace(CLAIM, by=by), ASK, gone, NOW)
        assert isinstance(won.reply, Granted)
        assert (won.record.claim_key, won.record.owner) == (key, owner)
        assert won.record.certificate == b"certificate"


def test_a_network_of_before_gets_the_key_of_its_leader():
    by = Speaker(NEW, OWNER, frozenset({NEW}), b"certificate")
    renewal = Renewal(TEA.chat, ANNE, TEA.epoch, TEA.address, by=by)
    after = nds.renew(kept(TEA), renewal, NOW).record
    assert (after.claim_key, after.owner, after.certificate) == (NEW, OWNER, b"certificate")


def test_a_service_that_forgot_takes_the_key_of_who_tells_it():
    known = Facts("tea", 1, TEA.created_ms, TEA.epoch, ANNE, TEA.address, highest_n=3)
    by = Speaker(NEW, OWNER, frozenset({NEW}))
    begun = begin(None, by, facts=known)
    assert (begun.record.claim_key, begun.record.owner) == (NEW, OWNER)
    renewal = Renewal(TEA.chat, ANNE, TEA.epoch, TEA.address, facts=known, by=by)
    assert nds.renew(kept(None), renewal, NOW).record.claim_key == NEW


def sworn(epoch, key=OLD):
    return Facts("tea", 1, TEA.created_ms, epoch, ANNE, TEA.address, 3, claim_key=key)


def test_a_network_that_was_forgotten_comes_back_on_the_services_own_word_alone():
    """And from who has the key that it had given its word for: grants are no secret."""
    unsworn = replace(sworn(TEA.epoch, b""), is_sworn=False)
    for facts, by, reason in (
        (unsworn, MEMBER, Reason.UNKNOWN_NETWORK),
        (sworn(TEA.epoch), STRANGER, Reason.WRONG_CLAIM_KEY),
        (sworn(TEA.epoch), replace(STRANGER, claim_key=STRANGE), Reason.WRONG_CLAIM_KEY),
    ):
        renewal = Renewal(TEA.chat, ANNE, TEA.epoch, TEA.address, facts=facts, by=by)
        for decision in (begin(None, by, facts=facts), nds.renew(kept(None), renewal, NOW)):
            assert (decision.record, decision.reply.reason) == (None, reason)
    facts = sworn(TEA.epoch)
    by = replace(MEMBER, claim_key=NEW, owner=OWNER)
    begun = begin(None, by, facts=facts)
    assert isinstance(begun.reply, nds.Ask)
    assert (begun.record.claim_key, begun.record.owner) == (OLD, OWNER)


def test_a_store_of_long_ago_learns_the_key_that_the_service_had_taken_since():
    """Though nobody has the key that stands in it any more."""
    later = Epoch(TEA.epoch.generation, TEA.epoch.n + 9)
    stale = replace(OURS, claim_key=STRANGE, owner=b"")
    repaired = begin(stale, MEMBER, facts=sworn(later), expected=later)
    assert isinstance(repaired.reply, nds.Ask)
    assert (repaired.record.claim_key, repaired.record.epoch) == (OLD, later)
    for facts in (sworn(TEA.epoch), sworn(later, b""), sworn(later, NEW)):
        refused = begin(stale, MEMBER, facts=facts, expected=later)
        assert refused.record == stale
        assert refused.reply.reason is Reason.WRONG_CLAIM_KEY


def test_a_new_network_has_what_its_founder_registers():
    by = Speaker(OLD, OWNER, certificate=b"certificate")
    record = nds.create(kept(None), Create(5, "r1", "tea", "10.0.0.1:5001", by=by), NOW).record
    assert (record.claim_key, record.owner, record.certificate) == (OLD, OWNER, b"certificate")


def test_the_leader_is_asked_where_its_certificate_is_shown():
    record = replace(OURS, certificate=b"certificate")
    assert begin(record, MEMBER).reply.certificate == b"certificate"
    higher = nds.Answer(nds.Word.LEADING, Epoch(OURS.epoch.generation, 9), CARL)
    repaired = nds.heard(kept(record), ASK, higher, NOW).record
    assert (repaired.leader, repaired.certificate) == (CARL, b"")


# --- over the wire -------------------------------------------------------------------------------


async def test_a_call_without_proof_is_refused_with_the_record(nds):
    made = await nds.stub.CreateNetwork(
        nds_pb2.CreateNetworkRequest(
            request_id="00000000-0000-4000-8000-000000000001",
            name="tea",
            leader_address="127.0.0.1:1024",
            claim_key=OLD,
            owner=OWNER,
        )
    )
    network, facts = made.network, replace(FACTS, epoch=TheirEpoch(1, 1))
    epoch = TheirEpoch(network.epoch.generation, network.epoch.n)
    assert network.claim_key == OLD
    claim = core.Claim(network.chat_id, 9, "127.0.0.1:1025", epoch, 5, (), 0, False, facts)
    renew = core.Renew(network.chat_id, network.leader_id, epoch, "127.0.0.1:1", False, facts)
    delete = core.Delete(network.chat_id, epoch)
    calls = {
        core.Claim: nds.stub.UpdateLeader,
        core.Renew: nds.stub.Renew,
        core.Delete: nds.stub.DeleteNetwork,
    }
    before = dict(nds.store._records)
    for request in (claim, replace(renew, address="127.0.0.1:1025"), delete):
        for bad in (request, signed(request, b"\4" * 32, b""), signed(request, shows=b"mine")):
            said = await refusal(calls[type(bad)](sent(bad)))
            assert (said.code.name, said.reason) == ("PERMISSION_DENIED", "WRONG_CLAIM_KEY")
            assert said.network.claim_key == OLD
            assert nds.store._records == before
    won = await nds.stub.UpdateLeader(sent(signed(claim, shows=b"")))
    assert won.network.leader_id == 9
