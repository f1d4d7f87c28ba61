"""NodeDiscovery over a real port: each call, each refusal, the question to the leader, the watch.

Tries nds/ledger.py as well.
"""

import asyncio
import logging
import random
import socket

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc import code_pb2
from msgspec.structs import replace

from nds.errors import StoreFull, StoreUnusable
from nds.record import Ask, Create, Epoch, Speaker, create
from nds.service import LISTING_PAGE
from nds.service.questions import AT_ONCE_MAX, OPTIONS, Questions
from nds.service.statuses import refuse, status
from p2pchat.v1 import common_pb2, nds_pb2, node_pb2
from tests.nds.conftest import START_MS, until
from tests.nds.wire_errors import refusal, taken_apart

DAY_MS = 24 * 3_600_000


def claim(network, node, address="127.0.0.1:1025", **more):
    fields = {"nonce": 7, "expected_epoch": network.epoch} | more
    return nds_pb2.UpdateLeaderRequest(
        chat_id=network.chat_id, node_id=node, address=address, **fields
    )


def renewal(network, **more):
    fields = {
        "node_id": network.leader_id,
        "epoch": network.epoch,
        "address": network.leader_address,
    }
    return nds_pb2.RenewRequest(chat_id=network.chat_id, **(fields | more))


async def read(nds, **what):
    return await nds.stub.GetNetworkInformation(nds_pb2.GetNetworkInformationRequest(**what))


async def record(nds, network):
    return (await read(nds, chat_id=network.chat_id)).networks[0]


# --- creating and reading --------------------------------------------------------------------


async def test_a_created_network_is_listed_with_its_leader(nds):
    made = await nds.create("tea", "127.0.0.1:5001")
    network = made.network
    assert 0 < network.chat_id < 2**63
    assert (network.leader_id, network.leader_address) == (made.ids.first, "127.0.0.1:5001")
    assert made.ids.count == 8
    assert network.mode == common_pb2.MODE_LOGGED
    assert not network.idle
    for found in (
        await read(nds),
        await read(nds, chat_id=network.chat_id),
        await read(nds, name="tea"),
    ):
        assert list(found.networks) == [network]
        assert found.next_page_token == ""


async def test_a_repeated_creation_makes_one_network(nds):
    first, again = await nds.create(), await nds.create()
    assert first == again
    assert len((await read(nds)).networks) == 1


async def test_a_taken_name_is_refused(nds):
    await nds.create("tea")
    said = await refusal(nds.create("tea", number=2))
    assert (said.code, said.reason) == (grpc.StatusCode.ALREADY_EXISTS, "NAME_TAKEN")
    said = await refusal(nds.create("coffee"))
    assert (said.code, said.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_REUSED")
    assert len((await read(nds)).networks) == 1


async def test_what_does_not_exist_is_not_found(nds):
    for what in ({"chat_id": 5}, {"name": "tea"}):
        said = await refusal(read(nds, **what))
        assert (said.code, said.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_NETWORK")


async def test_listings_come_in_pages(nds):
    names = [f"n{number:02}" for number in range(25)]
    for number, name in enumerate(reversed(names)):
        await nds.create(name, number=number)
    listed, token, sizes = [], "", []
    while True:
        page = await read(nds, page_size=10, page_token=token)
        listed += [network.name for network in page.networks]
        sizes.append(len(page.networks))
        token = page.next_page_token
        if not token:
            break
    assert (listed, sizes) == (names, [10, 10, 5])
    assert len((await read(nds, page_size=25)).networks) == 25
    assert (await read(nds, page_size=25)).next_page_token == ""


async def test_a_silent_leaders_network_turns_idle_then_hides_and_comes_back(nds):
    network = (await nds.create()).network
    nds.clock.now_ms += 60_000
    assert [n.idle for n in (await read(nds)).networks] == [True]
    nds.clock.now_ms += DAY_MS
    assert not (await read(nds)).networks
    assert [n.idle for n in (await read(nds, include_hidden=True)).networks] == [True]
    assert (await record(nds, network)).idle
    await nds.stub.Renew(renewal(network))
    assert [n.idle for n in (await read(nds)).networks] == [False]


# --- claims ----------------------------------------------------------------------------------


async def test_a_claim_is_granted_when_nobody_listens_at_the_old_leaders_address(nds):
    network = (await nds.create()).network
    won = await nds.stub.UpdateLeader(claim(network, network.leader_id + 1))
    assert won.network.leader_id == network.leader_id + 1
    assert (won.network.epoch.generation, won.network.epoch.n) == (network.epoch.generation, 2)
    assert (won.ids.first, won.ids.count) == (network.leader_id + 8, 8)
    assert await record(nds, network) == won.network


async def test_a_repeated_claim_gets_the_same_answer(nds):
    network = (await nds.create()).network
    request = claim(network, network.leader_id + 1)
    assert await nds.stub.UpdateLeader(request) == await nds.stub.UpdateLeader(request)


async def test_a_living_leader_stays_and_the_claimant_gets_the_record(nds):
    leader = await nds.leader()
    network = (await nds.create(address=leader.address)).network
    votes = [network.leader_id + 1, network.leader_id + 2]
    said = await refusal(nds.stub.UpdateLeader(claim(network, votes[0], votes=votes, electorate=3)))
    assert (said.code, said.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LEADER_ALIVE")
    assert said.network == network
    assert said.metadata["leader_address"] == leader.address
    assert said.metadata["leader_id"] == str(network.leader_id)
    asked = leader.asked[-1]
    assert (asked.caller.chat_id, asked.caller.node_id) == (network.chat_id, 0)
    assert asked.asks_leading == network.epoch
    assert list(asked.votes) == votes
    assert await record(nds, network) == network


@pytest.mark.parametrize(
    ("standing", "epoch"),
    [
        (node_pb2.STANDING_NOT_LEADING, None),
        (node_pb2.STANDING_YIELD, None),
        (node_pb2.STANDING_PROVISIONAL, None),
        (node_pb2.STANDING_UNSPECIFIED, None),
        (node_pb2.STANDING_LEADING, Epoch(1, 1)),
    ],
)
async def test_a_leader_that_does_not_lead_this_epoch_is_replaced(nds, standing, epoch):
    leader = await nds.leader()
    leader.standing, leader.epoch = standing, epoch
    network = (await nds.create(address=leader.address)).network
    won = await nds.stub.UpdateLeader(claim(network, network.leader_id + 1))
    assert won.network.epoch.n == 2


async def test_a_leader_of_a_higher_epoch_repairs_the_record(nds):
    leader = await nds.leader()
    network = (await nds.create(address=leader.address)).network
    await until(lambda: nds.store.get(network.chat_id).answered)
    leader.epoch = Epoch(network.epoch.generation, 9)
    leader.leader = network.leader_id + 5
    said = await refusal(nds.stub.UpdateLeader(claim(network, network.leader_id + 1)))
    assert said.reason == "LEADER_ALIVE"
    assert (said.network.epoch.n, said.network.leader_id) == (9, network.leader_id + 5)


async def test_a_leader_never_reached_is_believed_by_its_renewals_but_not_against_a_majority(nds):
    leader = await nds.leader()
    leader.silent = True
    network = (await nds.create(address=leader.address)).network
    node = network.leader_id + 1
    said = await refusal(nds.stub.UpdateLeader(claim(network, node, votes=[node], electorate=2)))
    assert said.reason == "LEADER_ALIVE"
    won = await nds.stub.UpdateLeader(claim(network, node, votes=[node], electorate=1))
    assert won.network.leader_id == node


async def test_a_leader_once_reached_is_not_believed_when_it_falls_silent(nds):
    leader = await nds.leader()
    network = (await nds.create(address=leader.address)).network
    await leader.was_asked.wait()
    await until(lambda: nds.store.get(network.chat_id).answered)
    leader.silent = True
    won = await nds.stub.UpdateLeader(claim(network, network.leader_id + 1))
    assert won.network.epoch.n == 2


async def test_a_leader_is_called_at_each_renewal_until_it_answers(nds):
    leader = await nds.leader()
    leader.status = grpc.StatusCode.INTERNAL
    network = (await nds.create(address=leader.address)).network
    for calls in (1, 2, 3):
        await leader.was_asked.wait()
        leader.was_asked.clear()
        assert len(leader.asked) == calls
        assert not nds.store.get(network.chat_id).answered
        if calls == 2:
            leader.status = None
        await until(lambda: not leader.at_once and not nds_is_asking())
        if calls < 3:
            await nds.stub.Renew(renewal(network))
    await until(lambda: nds.store.get(network.chat_id).answered)
    await nds.stub.Renew(renewal(network))
    assert len(leader.asked) == 3
    assert list(leader.asked[0].votes) == []


def nds_is_asking():
    """Whether a question is on its way in the background."""
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
    return any(name == "Questions._later" for name in names)


@pytest.mark.parametrize(
    ("code", "believed"),
    [
        (grpc.StatusCode.INTERNAL, True),
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.UNIMPLEMENTED, False),
    ],
)
async def test_an_error_says_nothing_unless_it_is_none_of_ours(nds, code, believed):
    leader = await nds.leader()
    leader.status = code
    network = (await nds.create(address=leader.address)).network
    request = claim(network, network.leader_id + 1)
    if believed:
        assert (await refusal(nds.stub.UpdateLeader(request))).reason == "LEADER_ALIVE"
    else:
        assert (await nds.stub.UpdateLeader(request)).network.epoch.n == 2


async def test_a_node_that_is_not_in_the_chat_does_not_lead_it(nds):
    async def unknown_chat(_, context):
        await refuse(context, status(code_pb2.NOT_FOUND, "not in that chat", "UNKNOWN_CHAT"))

    address = await raw_node(nds, unknown_chat)
    network = (await nds.create(address=address)).network
    won = await nds.stub.UpdateLeader(claim(network, network.leader_id + 1))
    assert won.network.epoch.n == 2


async def raw_node(nds, behave):
    """A node whose LivenessPing answers with bytes."""
    method = grpc.unary_unary_rpc_method_handler(behave)
    handler = grpc.method_handlers_generic_handler("p2pchat.v1.Node", {"LivenessPing": method})
    return await nds.serve(lambda server: server.add_generic_rpc_handlers([handler]))


@pytest.mark.parametrize("details", [b"\xff\xff", b"\x1a\x02\x0a\xff"])
async def test_noise_for_an_answer_is_no_answer(nds, details):
    async def noise(_, __):
        return b"\xff\xff\xff"

    async def noisy_error(_, context):
        context.set_trailing_metadata((("grpc-status-details-bin", details),))
        await context.abort(grpc.StatusCode.NOT_FOUND, "UNKNOWN_CHAT")

    for number, behave in enumerate((noise, noisy_error)):
        address = await raw_node(nds, behave)
        network = (await nds.create(f"n{number}", address, number)).network
        said = await refusal(nds.stub.UpdateLeader(claim(network, network.leader_id + 1)))
        assert said.reason == "LEADER_ALIVE"


async def test_a_leader_that_restarted_at_its_address_is_heard_at_once(nds):
    """A connection refused a moment ago, on behalf of another chat, must not answer for it."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        address = f"127.0.0.1:{port}"
        network = (await nds.create(address=address)).network
        await until(lambda: not nds_is_asking())
        other = grpc.aio.insecure_channel(f"dns:///{address}", options=OPTIONS)
        nds.exits.push_async_callback(other.close)
        with pytest.raises(grpc.aio.AioRpcError):
            await other.unary_unary("/p2pchat.v1.Node/LivenessPing")(b"")
    leader = await nds.leader(port)
    said = await refusal(nds.stub.UpdateLeader(claim(network, network.leader_id + 1)))
    assert said.reason == "LEADER_ALIVE"
    assert len(leader.asked) == 1


async def test_of_twenty_claims_at_once_exactly_one_wins_and_one_question_is_asked_at_a_time(nds):
    leader = await nds.leader()
    leader.standing = node_pb2.STANDING_NOT_LEADING
    network = (await nds.create(address=leader.address)).network
    claims = [claim(network, network.leader_id + 1 + k, nonce=100 + k) for k in range(20)]
    done = await asyncio.gather(
        *(nds.stub.UpdateLeader(one) for one in claims), return_exceptions=True
    )
    won = [one for one in done if isinstance(one, nds_pb2.UpdateLeaderResponse)]
    lost = [taken_apart(one) for one in done if isinstance(one, grpc.aio.AioRpcError)]
    assert (len(won), len(lost)) == (1, 19)
    assert {one.reason for one in lost} == {"STALE_EPOCH"}
    assert all(one.network == won[0].network for one in lost)
    assert leader.most_at_once == 1


async def test_a_claim_that_is_given_up_leaves_room_for_the_next(nds):
    leader = await nds.leader()
    leader.silent = True
    network = (await nds.create(address=leader.address)).network
    await leader.was_asked.wait()
    given_up = nds.stub.UpdateLeader(claim(network, network.leader_id + 1))
    await until(lambda: len(leader.asked) == 2)
    given_up.cancel()
    leader.silent, leader.standing = False, node_pb2.STANDING_NOT_LEADING
    won = await nds.stub.UpdateLeader(claim(network, network.leader_id + 2, nonce=8))
    assert won.network.leader_id == network.leader_id + 2


class Stuck(Questions):
    """Questions that nobody answers."""

    def __init__(self) -> None:
        super().__init__("test", None)
        self.put_so_far = 0
        self.ended = 0

    async def _call(self, chat, ask):
        self.put_so_far += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1


async def test_a_claims_question_goes_before_one_in_the_background():
    questions, ask = Stuck(), Ask(1, "127.0.0.1:1024", Epoch(1, 1), host="127.0.0.1")
    for _ in range(2):  # one per chat at a time
        questions.put_later(7, ask, None)
        await until(lambda: questions.put_so_far == 1)
    claiming = asyncio.ensure_future(questions.put(7, ask))
    await until(lambda: (questions.put_so_far, questions.ended) == (2, 1))
    questions.put_later(7, ask, None)
    for chat in range(100, 100 + AT_ONCE_MAX + 5):
        questions.put_later(chat, ask, None)
    await until(lambda: questions.put_so_far == 2 + AT_ONCE_MAX)
    await questions.close()
    assert (questions.put_so_far, questions.ended) == (2 + AT_ONCE_MAX, 1 + AT_ONCE_MAX)
    assert not claiming.done()
    claiming.cancel()


async def test_a_host_called_unix_is_a_host(nds, monkeypatch, tmp_path):
    """An address is never one of gRPC's other schemes."""
    monkeypatch.chdir(tmp_path)
    server = grpc.aio.server()
    server.add_insecure_port("unix:5001")
    await server.start()
    nds.exits.push_async_callback(server.stop, 0)
    network = (await nds.create(address="unix:5001")).network
    said = await refusal(nds.stub.UpdateLeader(claim(network, network.leader_id + 1)))
    assert said.reason == "LEADER_ALIVE"  # no such host: silence, not "none of our servers"


async def test_claims_on_different_networks_do_not_wait_for_each_other(nds):
    silent, leader = await nds.leader(), await nds.leader()
    silent.silent = True
    leader.standing = node_pb2.STANDING_NOT_LEADING
    slow = (await nds.create("slow", silent.address, 1)).network
    quick = (await nds.create("quick", leader.address, 2)).network
    waiting = asyncio.ensure_future(refusal(nds.stub.UpdateLeader(claim(slow, 9))))
    won = await nds.stub.UpdateLeader(claim(quick, 9))
    assert won.network.epoch.n == 2
    assert not waiting.done()
    await waiting


async def test_a_network_that_the_service_forgot_comes_back_by_a_renewal(nds):
    facts = nds_pb2.Facts(name="tea", created_ms=5, highest_n=12)
    epoch = common_pb2.Epoch(generation=1_794_000_000, n=3)
    network = nds_pb2.NetworkInformation(
        chat_id=99, epoch=epoch, leader_id=4, leader_address="127.0.0.1:5001"
    )
    said = await nds.stub.Renew(renewal(network, facts=facts, want_ids=True))
    assert (said.network.chat_id, said.network.name, said.network.epoch) == (99, "tea", epoch)
    assert said.ids.first % 1_000_000 == 13
    assert [n.chat_id for n in (await read(nds)).networks] == [99]


async def test_a_network_that_the_service_forgot_comes_back_by_a_claim(nds):
    leader = await nds.leader()
    epoch = common_pb2.Epoch(generation=1_794_000_000, n=3)
    facts = nds_pb2.Facts(name="tea", epoch=epoch, leader_id=4, leader_address=leader.address)
    request = nds_pb2.UpdateLeaderRequest(
        chat_id=99,
        node_id=5,
        address="127.0.0.1:5001",
        expected_epoch=epoch,
        nonce=7,
        facts=facts,
    )
    said = await refusal(nds.stub.UpdateLeader(request))
    assert said.reason == "LEADER_ALIVE"
    assert (said.network.leader_id, said.network.epoch) == (4, epoch)


# --- renewing and ending ---------------------------------------------------------------------


async def test_a_renewal_says_when_the_leader_was_heard_and_where_it_is(nds):
    network = (await nds.create()).network
    nds.clock.now_ms += 3_000
    said = await nds.stub.Renew(renewal(network, address="127.0.0.1:2048", want_ids=True))
    assert said.network.seen_ms == network.seen_ms + 3_000
    assert said.network.leader_address == "127.0.0.1:2048"
    assert said.ids.count == 8
    assert await record(nds, network) == said.network


async def test_a_deposed_leader_reads_who_leads(nds):
    network = (await nds.create()).network
    won = await nds.stub.UpdateLeader(claim(network, network.leader_id + 1))
    said = await nds.stub.Renew(renewal(network, want_ids=True))
    assert (said.network, said.ids.count) == (won.network, 0)


async def test_only_the_leader_renews(nds):
    network = (await nds.create()).network
    said = await refusal(nds.stub.Renew(renewal(network, node_id=network.leader_id + 1)))
    assert (said.code, said.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_LEADER")
    assert said.network == network


async def test_a_deleted_network_is_gone_its_name_is_free_and_a_claim_revives_it(nds):
    network = (await nds.create()).network
    end = nds_pb2.DeleteNetworkRequest(chat_id=network.chat_id, epoch=network.epoch)
    for _ in range(2):
        await nds.stub.DeleteNetwork(end)
    for call in (read(nds, chat_id=network.chat_id), nds.stub.Renew(renewal(network))):
        assert (await refusal(call)).reason == "UNKNOWN_NETWORK"
    assert not (await read(nds)).networks
    other = (await nds.create("tea", number=2)).network
    assert other.chat_id != network.chat_id
    won = await nds.stub.UpdateLeader(claim(network, network.leader_id + 1))
    assert won.network.name == f"tea-{network.chat_id:016x}"[:8]
    assert (won.network.epoch.n, won.ids.first) == (2, network.leader_id + 8)


async def test_an_old_epoch_deletes_nothing(nds):
    network = (await nds.create()).network
    await nds.stub.UpdateLeader(claim(network, network.leader_id + 1))
    end = nds_pb2.DeleteNetworkRequest(chat_id=network.chat_id, epoch=network.epoch)
    said = await refusal(nds.stub.DeleteNetwork(end))
    assert (said.code, said.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STALE_EPOCH")
    assert said.network.epoch.n == 2


# --- watching --------------------------------------------------------------------------------


async def caught_up(watch):
    """What a watch tells until it has told all that is."""
    told = []
    while not (answer := await watch.read()).caught_up:
        told.append(answer)
    return told


def watching(nds, **what):
    return nds.stub.WatchNetworks(nds_pb2.WatchNetworksRequest(**what))


async def test_a_watcher_gets_what_is_then_every_change(nds):
    first = (await nds.create("a", number=1)).network
    watch = watching(nds)
    assert [one.network for one in await caught_up(watch)] == [first]
    second = (await nds.create("b", number=2)).network
    assert await watch.read() == nds_pb2.WatchNetworksResponse(network=second)
    won = await nds.stub.UpdateLeader(claim(first, first.leader_id + 1))
    assert (await watch.read()).network == won.network
    end = nds_pb2.DeleteNetworkRequest(chat_id=second.chat_id, epoch=second.epoch)
    await nds.stub.DeleteNetwork(end)
    gone = await watch.read()
    assert (gone.network.chat_id, gone.network.name, gone.deleted) == (second.chat_id, "b", True)
    watch.cancel()


async def test_a_long_listing_is_told_whole(nds):
    for number in range(LISTING_PAGE + 3):
        nds.store.update(number + 1, lambda kept, n=number: made(kept, n))
    watch = watching(nds)
    told = await caught_up(watch)
    assert [one.network.name for one in told] == [f"n{k:05}" for k in range(LISTING_PAGE + 3)]
    watch.cancel()


def made(kept, number):
    """A network put into the store without a call."""

    by = Speaker(host="127.0.0.1")
    wanted = Create(number + 1, f"r{number}", f"n{number:05}", "127.0.0.1:1024", by=by)
    return create(kept, wanted, START_MS)


async def test_a_sign_of_life_is_no_change_but_its_return_is(nds):
    network = (await nds.create("a", number=1)).network
    watch = watching(nds)
    await caught_up(watch)
    await nds.stub.Renew(renewal(network))
    nds.clock.now_ms += 60_000
    await nds.ledger.sweep()
    assert (await watch.read()).network.idle
    await nds.ledger.sweep()
    await nds.stub.Renew(renewal(network))
    assert not (await watch.read()).network.idle
    await nds.stub.Renew(renewal(network, address="127.0.0.1:2048"))
    assert (await watch.read()).network.leader_address == "127.0.0.1:2048"
    watch.cancel()


async def test_hidden_networks_are_told_to_those_who_ask(nds):
    network = (await nds.create("a", number=1)).network
    nds.clock.now_ms += DAY_MS
    plain, curious = watching(nds), watching(nds, include_hidden=True)
    assert await caught_up(plain) == []
    assert [one.network.chat_id for one in await caught_up(curious)] == [network.chat_id]
    await nds.stub.Renew(renewal(network))
    for watch in (plain, curious):
        assert (await watch.read()).network.chat_id == network.chat_id
        watch.cancel()


async def test_the_end_of_a_hidden_network_is_told_to_all(nds):
    network = (await nds.create("a", number=1)).network
    watch = watching(nds)
    assert len(await caught_up(watch)) == 1
    nds.clock.now_ms += DAY_MS
    end = nds_pb2.DeleteNetworkRequest(chat_id=network.chat_id, epoch=network.epoch)
    await nds.stub.DeleteNetwork(end)
    assert (await watch.read()).deleted
    watch.cancel()


async def test_a_watcher_that_does_not_read_is_ended_with_a_definite_error(nds):
    for number in range(20_000):  # more than a connection holds by itself
        nds.store.update(number + 1, lambda kept, n=number: made(kept, n))
    watch = watching(nds)
    await watch.read()
    for number in range(65):  # one more than it may be owed
        await nds.create(f"late{number}", number=number)
    assert len(nds.watchers) == 0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while True:
            await watch.read()
    said = taken_apart(caught.value)
    assert (said.code, said.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_WATCHER")


async def test_a_watcher_that_goes_away_is_forgotten(nds):
    watch = watching(nds)
    await caught_up(watch)
    assert len(nds.watchers) == 1
    watch.cancel()
    await until(lambda: not len(nds.watchers))


async def test_there_may_be_too_many_watchers(nds):
    nds.watchers._watchers_max = 1
    watch = watching(nds)
    await caught_up(watch)
    said = await refusal(watching(nds).read())
    assert (said.code, said.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS")
    watch.cancel()


async def test_a_change_is_told_even_if_its_caller_has_gone(nds):
    watch = watching(nds)
    await caught_up(watch)
    asking = asyncio.ensure_future(nds.ledger.change(1, lambda kept: made(kept, 0)))
    await asyncio.sleep(0)
    asking.cancel()
    assert (await watch.read()).network.name == "n00000"
    watch.cancel()


# --- bad input -------------------------------------------------------------------------------

EPOCH = common_pb2.Epoch(generation=1_795_000_000, n=1)
GOOD = {
    "CreateNetwork": nds_pb2.CreateNetworkRequest(
        request_id="6f1c1f1e-7d3b-4b43-9d2b-0d7a3d8a6f01",
        name="coffee",
        leader_address="127.0.0.1:5001",
    ),
    "GetNetworkInformation": nds_pb2.GetNetworkInformationRequest(),
    "UpdateLeader": nds_pb2.UpdateLeaderRequest(
        chat_id=1, node_id=9, address="127.0.0.1:5001", expected_epoch=EPOCH, nonce=7
    ),
    "Renew": nds_pb2.RenewRequest(chat_id=1, node_id=9, epoch=EPOCH, address="127.0.0.1:5001"),
    "DeleteNetwork": nds_pb2.DeleteNetworkRequest(chat_id=1, epoch=EPOCH),
}
BAD_NAMES = ["x" * 65, "a b", "a/b", "a\nb", "\x1b[31m", "a\0b", "\u202eabc", "#tea"]
BAD_NAMES += ["ㅤ", "💬", "e\u0301", "½"]
BAD_ADDRESSES = ["x", ":5001", "127.0.0.1", "127.0.0.1:", "127.0.0.1:80", "127.0.0.1:1023"]
BAD_ADDRESSES += ["127.0.0.1:65536", "127.0.0.1:99999", "127.0.0.1:005001", "::1:5001", "[::]:5001"]
BAD_ADDRESSES += ["0.0.0.0:5001", "a b:5001", "unix:/tmp/x", "http://x:5001", "x:5001/y", "-x:5001"]
BAD_ADDRESSES += ["x:5001\n", "x:٥٠٠١", f"{'x' * 251}:5001", "é.example:5001"]
BAD_IDS = ["x", "6f1c1f1e7d3b4b439d2b0d7a3d8a6f01", "{6f1c1f1e-7d3b-4b43-9d2b-0d7a3d8a6f01}"]
BAD_IDS += ["6f1c1f1e-7d3b-4b43-9d2b-0d7a3d8a6f0g", "x" * 10_000]
NO_EPOCH = common_pb2.Epoch()
BAD_EPOCHS = [
    ("generation", common_pb2.Epoch(n=1)),
    ("n", common_pb2.Epoch(generation=1_795_000_000)),
    ("generation", common_pb2.Epoch(generation=1_795_000_000 + 3_601, n=1)),
    ("generation", common_pb2.Epoch(generation=2**64 - 1, n=1)),
    ("n", common_pb2.Epoch(generation=1_795_000_000, n=2**53)),
]
PROOF = nds_pb2.ClaimProof(key=b"k" * 32, signature=b"s" * 64)
BAD_PROOFS = [
    [PROOF] * 9,
    [nds_pb2.ClaimProof(key=b"k" * 31, signature=b"s" * 64)],
    [PROOF, nds_pb2.ClaimProof(key=b"k" * 32, signature=b"s" * 65)],
]
HAND_OVER = {"by": b"b" * 32, "owner": b"o" * 32, "signature": b"s" * 64}
BAD_HAND_OVERS = [
    [nds_pb2.HandOver(**HAND_OVER)] * 17,
    *([nds_pb2.HandOver(**HAND_OVER | {name: b"x" * 31})] for name in HAND_OVER),
]
REMOVAL = {"by_id": 1, "act": common_pb2.ACT_KICK, "whom_id": 2, "signature": b"s" * 64}
BAD_REMOVALS = [
    [common_pb2.Decision(**REMOVAL)] * 3,
    *(
        [common_pb2.Decision(**REMOVAL | bad)]
        for bad in (
            {"signature": b"s" * 63},
            {"person": b"p" * 31},
            {"value": "v" * 301},
            {"after": [b"a" * 15]},
            {"after": [b"a" * 16] * 513},
        )
    ),
]
INTEGERS = {
    ("UpdateLeader", "chat_id"): [0, 2**63],
    ("UpdateLeader", "node_id"): [0, 2**53],
    ("UpdateLeader", "nonce"): [0],
    ("UpdateLeader", "electorate"): [4_097],
    ("UpdateLeader", "votes"): [[0], [2**53], [1] * 4_097],
    ("Renew", "chat_id"): [0, 2**63],
    ("Renew", "node_id"): [0, 2**53],
    ("DeleteNetwork", "chat_id"): [0, 2**64 - 1],
    ("GetNetworkInformation", "chat_id"): [2**63],
    ("GetNetworkInformation", "page_size"): [1_001],
    ("GetNetworkInformation", "page_token"): ["x", "IA==", "Lw==", "/w==", "é", "x" * 1000],
    ("CreateNetwork", "mode"): [3, -1, 2**31 - 1],
    **{
        (call, field): [b"k" * 31, b"k" * 33]
        for call in ("CreateNetwork", "UpdateLeader", "Renew")
        for field in ("claim_key", "owner")
    },
    **{(call, "proofs"): BAD_PROOFS for call in ("UpdateLeader", "Renew", "DeleteNetwork")},
    **{(call, "handovers"): BAD_HAND_OVERS for call in ("UpdateLeader", "Renew")},
    ("UpdateLeader", "removals"): BAD_REMOVALS,
}
FACTS = {
    "name": BAD_NAMES,
    "mode": [3, -1],
    "created_ms": [2**53],
    "leader_id": [2**53],
    "leader_address": BAD_ADDRESSES,
    "highest_n": [1_000_000, 2**64 - 1],
    "grant": [
        common_pb2.Grant(certificate_hash=b"h" * 31),
        common_pb2.Grant(claim_key=b"k" * 33),
        common_pb2.Grant(signature=b"s" * 73),
    ],
}


def bad_inputs():
    """Call, field that is named, and the field's bad value, for every field of every call."""
    yield from (("CreateNetwork", "request_id", value) for value in ["", *BAD_IDS])
    yield from (("CreateNetwork", "name", value) for value in ["", *BAD_NAMES])
    yield from (("GetNetworkInformation", "name", value) for value in BAD_NAMES)
    for call, field in (
        ("CreateNetwork", "leader_address"),
        ("UpdateLeader", "address"),
        ("Renew", "address"),
    ):
        yield from ((call, field, value) for value in ["", *BAD_ADDRESSES])
    for (call, field), values in INTEGERS.items():
        yield from ((call, field, value) for value in values)
    for call, field in (
        ("UpdateLeader", "expected_epoch"),
        ("Renew", "epoch"),
        ("DeleteNetwork", "epoch"),
    ):
        yield call, field, NO_EPOCH
        yield from ((call, f"{field}.{part}", epoch) for part, epoch in BAD_EPOCHS)
    for call in ("UpdateLeader", "Renew"):
        for field, values in FACTS.items():
            yield from ((call, f"facts.{field}", value) for value in values)
        yield from ((call, f"facts.epoch.{part}", epoch) for part, epoch in BAD_EPOCHS)


def with_field(request, path, value):
    """A copy of a request with one field set; an epoch is set whole."""
    changed = type(request)()
    changed.CopyFrom(request)
    *parents, name = path.removesuffix(".generation").removesuffix(".n").split(".")
    target = changed
    for parent in parents:
        target = getattr(target, parent)
    target.ClearField(name)
    if isinstance(value, common_pb2.Epoch | common_pb2.Grant):
        getattr(target, name).CopyFrom(value)
    elif isinstance(value, list):
        getattr(target, name).extend(value)
    else:
        setattr(target, name, value)
    return changed


async def test_every_bad_field_of_every_call_is_named_with_its_limit_and_changes_nothing(nds):
    """One service for all of them, so that one bad call spoiling the next would show."""
    nds.store.update(1, lambda kept: made(kept, 0))
    before = (dict(nds.store._records), nds.store._generation)
    cases = list(bad_inputs())
    assert {(call, path.split(".")[0]) for call, path, _ in cases} >= {
        (call, field.name)
        for call, request in GOOD.items()
        for field in request.DESCRIPTOR.fields
        if field.type != field.TYPE_BOOL
    }
    for call, path, value in cases:
        request = with_field(GOOD[call], path, value)
        said = await refusal(getattr(nds.stub, call)(request))
        where = (call, path, str(value)[:50])
        assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_FIELD"), where
        assert set(said.fields) == {path}, where
        assert all(len(limit) > 5 for limits in said.fields.values() for limit in limits), where
        assert said.metadata["field"] == path, where
        assert (dict(nds.store._records), nds.store._generation) == before, where


async def test_the_good_requests_of_that_table_are_good(nds):
    nds.store.update(1, lambda kept: made(kept, 0))
    await nds.stub.CreateNetwork(GOOD["CreateNetwork"])
    assert len((await nds.stub.GetNetworkInformation(GOOD["GetNetworkInformation"])).networks) == 2
    said = await refusal(nds.stub.Renew(GOOD["Renew"]))
    assert said.reason == "NOT_LEADER"
    assert (await nds.stub.UpdateLeader(GOOD["UpdateLeader"])).network.epoch.n == 2
    assert (await refusal(nds.stub.DeleteNetwork(GOOD["DeleteNetwork"]))).reason == "STALE_EPOCH"


@pytest.mark.parametrize(
    "address",
    ["[::1]:5001", "[fe80::1%eth0]:5001", "host.example.org:1024", "unix:5001", "a_b:65535"],
)
async def test_good_addresses_are_taken(nds, address):
    assert (await nds.create(address=address)).network.leader_address == address


@pytest.mark.parametrize("name", ["a", "x" * 64, "Über-Tee_2.0", "茶", "-", "٣"])
async def test_good_names_are_taken_and_are_page_tokens(nds, name):
    await nds.create(name)
    await nds.create(name[:62] + "-z", number=2)
    page = await read(nds, page_size=1)
    assert (await read(nds, page_size=1, page_token=page.next_page_token)).networks


async def test_several_bad_fields_are_all_named(nds):
    said = await refusal(nds.stub.CreateNetwork(nds_pb2.CreateNetworkRequest(mode=9)))
    assert set(said.fields) == {"request_id", "name", "leader_address", "mode"}


async def test_a_number_and_a_name_together_are_refused(nds):
    said = await refusal(read(nds, chat_id=5, name="tea"))
    assert set(said.fields) == {"name"}


@pytest.mark.parametrize("call", [*GOOD, "WatchNetworks"])
@pytest.mark.parametrize("noise", [b"\xff\xff\xff", b"\x0a\x7f", b"\x00\x00"])
async def test_bytes_that_are_no_message_are_refused(nds, call, noise, caplog):
    kind = nds.channel.unary_stream if call == "WatchNetworks" else nds.channel.unary_unary
    made_call = kind(f"/p2pchat.v1.NodeDiscovery/{call}")(noise)
    awaited = made_call.read() if call == "WatchNetworks" else made_call
    said = await refusal(awaited)
    assert (said.code, said.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "GARBLED")
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert not (await read(nds)).networks


async def test_a_field_of_the_wrong_type_counts_as_missing(nds):
    call = nds.channel.unary_unary("/p2pchat.v1.NodeDiscovery/CreateNetwork")
    said = await refusal(call(b"\x08\x01\x10\x01\x18\x01"))  # three strings sent as numbers
    assert set(said.fields) == {"request_id", "name", "leader_address"}


@pytest.mark.parametrize("call", [*GOOD, "WatchNetworks"])
async def test_a_message_over_the_limit_is_refused(nds, call):
    kind = nds.channel.unary_stream if call == "WatchNetworks" else nds.channel.unary_unary
    made_call = kind(f"/p2pchat.v1.NodeDiscovery/{call}")(b"x" * 5_000_000)
    awaited = made_call.read() if call == "WatchNetworks" else made_call
    said = await refusal(awaited)
    assert said.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "524288" in said.text


INTERESTING = [0, 1, 2, 7, 999_999, 1_000_000, START_MS // 1000, 2**31, 2**53 - 1, 2**63, 2**64 - 1]
TEXTS = ["", "tea", "a b", "127.0.0.1:1024", "127.0.0.1:80", "x" * 300, "\0", "dGVh", "ㅤ"]


def scrambled(draw, message):
    """A message with random fields of their own types, some of them sensible."""
    for field in message.DESCRIPTOR.fields:
        if draw.random() < 0.3:
            continue
        if field.message_type is not None and field.is_repeated:
            for _ in range(draw.randrange(3)):
                scrambled(draw, getattr(message, field.name).add())
        elif field.message_type is not None:
            scrambled(draw, getattr(message, field.name))
        elif field.is_repeated and field.type == field.TYPE_BYTES:
            getattr(message, field.name).extend([draw.randbytes(16)] * draw.randrange(3))
        elif field.is_repeated:
            getattr(message, field.name).extend(draw.choices(INTERESTING, k=draw.randrange(4)))
        elif field.type == field.TYPE_STRING:
            setattr(message, field.name, draw.choice(TEXTS))
        elif field.type == field.TYPE_BYTES:
            setattr(message, field.name, draw.randbytes(draw.choice([0, 31, 32, 33, 64])))
        elif field.type == field.TYPE_BOOL:
            setattr(message, field.name, draw.random() < 0.5)
        else:
            most = 2**64 if field.type in {field.TYPE_UINT64, field.TYPE_FIXED64} else 2**31
            setattr(message, field.name, draw.choice([n for n in INTERESTING if n < most]))
    return message


@pytest.mark.parametrize("call", GOOD)
async def test_scrambled_requests_get_definite_answers(nds, call):
    draw = random.Random(call)
    nds.store.update(1, lambda kept: made(kept, 0))
    path = nds.channel.unary_unary(f"/p2pchat.v1.NodeDiscovery/{call}")
    refused = 0
    for _ in range(400):
        base = type(GOOD[call])()
        if draw.random() < 0.7:
            base.CopyFrom(GOOD[call])
        data = bytearray(scrambled(draw, base).SerializeToString())
        if draw.random() < 0.3 and data:
            data[draw.randrange(len(data))] = draw.randrange(256)
        before = (dict(nds.store._records), nds.store._generation)
        try:
            await path(bytes(data))
        except grpc.aio.AioRpcError as error:
            said = taken_apart(error)
            assert said.reason, (said, data)
            refused += 1
            if said.code is not grpc.StatusCode.FAILED_PRECONDITION:  # facts may repair first
                assert (dict(nds.store._records), nds.store._generation) == before, data
    assert refused > 100


# --- what goes wrong inside ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "reason", "text"),
    [(StoreFull, "STORE_FULL", "disk is full"), (StoreUnusable, "STORE_FAILED", "its store")],
)
async def test_a_store_that_fails_is_said_and_is_not_a_definite_answer(
    nds, monkeypatch, caplog, kind, reason, text
):
    def fail(*_, **__):
        raise kind("cannot use the store /secret/place: disk full")

    with monkeypatch.context() as patch:
        patch.setattr(nds.store, "update", fail)
        said = await refusal(nds.create())
        assert (said.code, said.reason) == (grpc.StatusCode.UNAVAILABLE, reason)
        assert text in said.text
        assert "secret" not in said.text
        patch.setattr(nds.store, "try_writing", fail)
        assert (await read(nds)).store_fault == reason, "whoever reads hears it too"
        assert (await read(nds)).networks == []
    assert (await read(nds)).store_fault == "", "and finds out that it is over"
    assert "store-failed" in caplog.text
    await nds.create()


async def test_a_store_that_works_again_is_no_longer_said_to_fail(nds, monkeypatch):
    network = (await nds.create("tea")).network

    def fail(*_, **__):
        raise StoreFull("full")

    with monkeypatch.context() as patch:
        patch.setattr(nds.store, "update", fail)
        await refusal(nds.create("coffee", number=3))
    monkeypatch.setattr(nds.store, "try_writing", fail)
    await refusal(nds.create("tea", number=2))
    assert (await read(nds)).store_fault == "STORE_FULL", "a refusal has stored nothing"
    nds.clock.now_ms += 5
    await nds.stub.Renew(renewal(network))
    assert (await read(nds)).store_fault == ""


async def test_a_bug_is_logged_and_not_told(nds, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        patch.setattr(nds.store, "find", lambda _: 1 / 0)
        said = await refusal(read(nds, name="tea"))
    assert (said.code, said.reason) == (grpc.StatusCode.INTERNAL, "")
    assert "division" not in said.text
    assert "ZeroDivisionError" in caplog.text
    await nds.create()


async def test_what_a_caller_sees_holds_nothing_that_only_the_service_needs(nds):
    network = (await nds.create()).network
    shown = MessageToDict(network, preserving_proto_field_name=True)
    kept = replace(nds.store.get(network.chat_id), nonce=1)
    assert not {"nonce", "request", "answered", "next_n"} & set(shown)
    assert kept.request not in str(shown)
