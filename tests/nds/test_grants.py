"""What the service signs of an epoch; who looks (nds/service/grants.py, node/trust/grants.py)."""

import hashlib
import ssl
from pathlib import Path

import pytest
from msgspec.structs import replace

from nds.certificates import load
from nds.record import Answer, Ask, Epoch, Facts, IdBlock, Word
from nds.service.grants import Grants, ids_statement, statement
from nds.service.questions import Questions
from node.codec import NDS_METHODS
from node.core import messages as core
from node.core.granting import statement as as_nodes_say
from node.core.issuing import statement as issued_as_nodes_say
from node.core.types import Epoch as TheirEpoch
from node.core.types import IdBlock as TheirBlock
from node.limits import GRANT_MAX
from node.rpc.transport import Transport
from node.trust import certificates as theirs
from node.trust.grants import Granted, is_signed
from node.trust.known import Known
from p2pchat.v1 import nds_pb2, nds_pb2_grpc
from tests.nds.programs import creation, running
from tests.nds.test_certificates import leading
from tests.nds.test_record import TEA

KEY = bytes(range(32))
LED = replace(TEA, certificate=b"certificate", claim_key=KEY)
HASH = hashlib.sha256(b"certificate").digest()


@pytest.fixture(scope="module")
def tls():
    return load(None)


def certificate(tls):
    return ssl.PEM_cert_to_DER_cert(tls.certificate.decode())


def test_node_and_service_mean_the_same():
    epoch = Epoch(1_700_000_000, 3)
    said = statement(7, epoch, 8, HASH, KEY)
    assert said == as_nodes_say(7, TheirEpoch(*epoch), 8, core.Grant(HASH, b"", KEY))
    text = f"7|1700000000.3|8|{HASH.hex()}|{KEY.hex()}"
    assert said == b"p2pchat grant 1\0" + text.encode()
    issued = ids_statement(7, epoch, 8, IdBlock(9, 4))
    assert issued == issued_as_nodes_say(7, TheirEpoch(*epoch), 8, TheirBlock(9, 4))
    assert issued == b"p2pchat ids 1\0" + b"7|1700000000.3|8|9|4"


def test_ids_are_issued_to_one_leader_in_one_epoch(tls):
    ids, own = IdBlock(LED.leader + 1, 8), certificate(tls)
    block = Grants(tls).ids(LED, ids)
    assert (block.first, block.count) == ids_of(ids)
    parts = LED.chat, LED.epoch, LED.leader
    assert len(block.signature) <= GRANT_MAX
    assert is_signed(own, block.signature, ids_statement(*parts, ids))
    later = Epoch(LED.epoch.generation, LED.epoch.n + 1)
    for other in (
        (LED.chat + 1, *parts[1:], ids),
        (LED.chat, later, LED.leader, ids),
        (*parts[:2], LED.leader + 1, ids),
        (*parts, IdBlock(ids.first, 9)),
        (*parts, IdBlock(ids.first + 1, 8)),
    ):
        assert not is_signed(own, block.signature, ids_statement(*other))
    assert Grants(None).ids(LED, ids).signature == b"", "nothing is signed there"
    assert Grants(tls).ids(LED, IdBlock(0, 0)).signature == b"", "nor is nothing"


def ids_of(ids):
    return ids.first, ids.count


def test_a_grant_holds_for_its_leader_epoch_and_certificate_alone(tls):
    grant = Grants(tls).of(LED)
    assert grant.certificate_hash == HASH
    assert len(grant.signature) <= GRANT_MAX
    own = certificate(tls)
    assert grant.claim_key == KEY
    parts = LED.chat, LED.epoch, LED.leader, HASH, KEY
    assert is_signed(own, grant.signature, statement(*parts))
    later = Epoch(LED.epoch.generation, LED.epoch.n + 1)
    for other in (
        (LED.chat + 1, *parts[1:]),
        (LED.chat, later, *parts[2:]),
        (*parts[:2], LED.leader + 1, HASH, KEY),
        (*parts[:3], bytes(32), KEY),
        (*parts[:4], bytes(32)),
    ):
        assert not is_signed(own, grant.signature, statement(*other))
    assert not is_signed(certificate(load(None)), grant.signature, statement(*parts))
    assert not is_signed(b"no certificate", grant.signature, statement(*parts))
    assert not is_signed(own, b"", statement(*parts))


@pytest.mark.parametrize("more", [{"certificate": b""}, {"leader": 0}, {"deleted": True}])
def test_nothing_is_signed_of_what_is_not_known(tls, more):
    assert Grants(tls).of(replace(LED, **more)) is None
    assert Grants(None).of(LED) is None


def test_what_a_caller_knows_is_the_services_word_or_it_is_not(tls):
    grants, epoch = Grants(tls), LED.epoch
    known, grant = Facts(epoch=epoch, leader=LED.leader), grants.of(LED)
    looked = grants.looked_at(LED.chat, known, grant)
    assert (looked.is_sworn, looked.claim_key) == (True, KEY)
    for chat, facts in (
        (LED.chat + 1, known),
        (LED.chat, replace(known, epoch=Epoch(epoch.generation, epoch.n + 1))),
        (LED.chat, replace(known, leader=LED.leader + 1)),
    ):
        looked = grants.looked_at(chat, facts, grant)
        assert (looked.is_sworn, looked.claim_key) == (False, b"")
    assert not Grants(load(None)).looked_at(LED.chat, known, grant).is_sworn
    assert Grants(None).looked_at(LED.chat, known, grant) == known, "nothing is proved there"


async def test_a_later_epoch_of_a_leader_is_the_services_word_or_it_is_not(tls):
    grant = Grants(tls).of(LED)
    ask = Ask(LED.leader, "", Epoch(LED.epoch.generation, 1), host="127.0.0.1")
    async with leading(Transport(theirs.make())) as leader:
        leader.epoch, leader.leader = LED.epoch, LED.leader

        async def said(shown, own=tls):
            leader.grant = shown
            return await Questions("test", own).put(LED.chat, replace(ask, address=leader.address))

        assert await said(grant) == Answer(Word.LEADING, LED.epoch, LED.leader)
        assert await said(None) == Answer(Word.LEADING, LED.epoch, LED.leader, is_sworn=False)
        assert not (await said(Grants(load(None)).of(LED))).is_sworn
        for nonsense in (replace(LED, epoch=Epoch(1, 2**53)), replace(LED, leader=2**53)):
            leader.epoch, leader.leader = nonsense.epoch, nonsense.leader
            assert (await said(Grants(tls).of(nonsense))).word is Word.SILENT


def test_what_is_signed_once_is_not_signed_again(tls):
    assert Grants(tls).of(LED) == Grants(tls).of(LED), "nor is it after a start anew"


def test_who_does_not_know_the_service_cannot_tell(tls, tmp_path: Path):
    known = Known(tmp_path)
    looks, grant = Granted(known), Grants(tls).of(LED)
    said = statement(LED.chat, LED.epoch, LED.leader, HASH, KEY)
    assert looks("nds:1", said, grant.signature) is None
    known.keep("nds:1", certificate(tls))
    assert looks("nds:1", said, grant.signature) is True
    assert looks("nds:1", said + b"1", grant.signature) is False
    assert looks("nds:2", said, grant.signature) is None
    known.file.unlink()
    known.file.mkdir()
    assert looks("nds:1", said, grant.signature) is None, "it cannot be looked up"


async def test_a_running_service_grants_in_answers_about_one_network():
    transport = Transport(theirs.make())
    async with running() as (process, _):
        channel = transport.channel(process.address)
        stub = nds_pb2_grpc.NodeDiscoveryStub(channel)
        created = await stub.CreateNetwork(creation("tea", "127.0.0.1:1024"))
        made = created.network
        one = nds_pb2.GetNetworkInformationRequest(name="tea")
        (read,) = (await stub.GetNetworkInformation(one)).networks
        every = nds_pb2.GetNetworkInformationRequest()
        (listed,) = (await stub.GetNetworkInformation(every)).networks
        await channel.close()
    assert made.grant == read.grant
    assert created.ids.signature
    assert made.grant.certificate_hash == hashlib.sha256(transport.shows).digest()
    assert not listed.HasField("grant")
    reply = nds_pb2.GetNetworkInformationResponse(networks=[read]).SerializeToString()
    record = NDS_METHODS[core.Lookup].read_reply(reply).record
    assert record.grant == core.Grant(made.grant.certificate_hash, made.grant.signature, b"")
