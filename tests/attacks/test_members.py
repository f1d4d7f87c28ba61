"""Members who say that they are others, members of other chats, and those who were members."""

import threading

import grpc
import pytest

from tests.attacks.site import CALL_S, CHAT, HONEST, Refused, Site, call, channel, refused
from tests.attacks.test_outsiders import DENIED, KINDS, UNKNOWN
from tests.e2e.programs import Member
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("attacks")


@pytest.fixture(scope="module")
def neighbour(site: Site) -> Member:
    """Somebody who is in another chat with the same nodes, and not in this one."""
    made = site.cluster.add("neil")
    made.up("--nick", "neil")
    line = site.cluster["bob"].row("create", "garden", "--open")["join"]
    made.run("join", line, "--no-ui")
    return made


@pytest.fixture(scope="module")
def former(site: Site) -> tuple[Member, int]:
    """Somebody who was a member, and its id."""
    made = site.cluster.add("eve")
    line = site.cluster["alice"].row("invite", "-c", CHAT, "--once")["join"]
    made.run("join", line, "--no-ui", "--nick", "eve")
    id = made.id(CHAT)
    made.run("leave", CHAT)
    wait_for(
        lambda: all("eve" not in site.cluster[name].states(CHAT) for name in HONEST),
        "everybody knows that eve left",
    )
    return made, id


def tls_of(member: Member):  # type: ignore[no-untyped-def]
    from node.trust import keys

    return keys.load(member.home / "default").tls


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_says_it_is_another_is_refused(site: Site, kind: str) -> None:
    with site.unharmed():
        request = site.requests(site.id["alice"], "carol")[kind]
        assert call(site.listen["carol"], site.keys["bob"].tls, request) == DENIED


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_of_another_chat_is_a_stranger_in_this_one(
    site: Site, neighbour: Member, kind: str
) -> None:
    with site.unharmed():
        for name in ("alice", "carol"):
            request = site.requests(site.id[name], "bob")[kind]
            assert call(site.listen["bob"], tls_of(neighbour), request) == DENIED
        request = site.requests(neighbour.id("garden"), "bob")[kind]
        answer = call(site.listen["bob"], tls_of(neighbour), request)
        assert answer in (UNKNOWN, DENIED)


@pytest.mark.parametrize("kind", KINDS)
def test_who_has_left_is_a_stranger(site: Site, former: tuple[Member, int], kind: str) -> None:
    eve, id = former
    with site.unharmed():
        request = site.requests(id, "bob")[kind]
        answer = call(site.listen["bob"], tls_of(eve), request)
        assert answer == Refused("PERMISSION_DENIED", "LEFT")


def test_who_has_left_does_not_come_back_without_a_new_invitation(
    site: Site, former: tuple[Member, int]
) -> None:
    eve, _ = former
    with site.unharmed():
        told = eve.run("join", CHAT, "--nds", site.cluster.nds.address, "--no-ui", code=7)
        assert "lets in who is invited" in str(told)


def test_the_open_stream_of_who_leaves_ends_at_once(site: Site) -> None:
    """And no other can be opened."""
    ivan = site.cluster.add("ivan")
    line = site.cluster["alice"].row("invite", "-c", CHAT, "--once")["join"]
    ivan.run("join", line, "--no-ui", "--nick", "ivan")
    tls, ended = tls_of(ivan), threading.Event()
    told: list[grpc.RpcError] = []
    with channel(site.listen["bob"], tls) as made:
        wait_for(lambda: "ivan" in site.cluster["bob"].states(CHAT), "bob knows ivan")
        closing = threading.Event()

        def frames():  # type: ignore[no-untyped-def]
            yield b""
            closing.wait(60)

        stream = made.stream_stream("/p2pchat.v1.Node/Link")(frames())
        next(iter(stream))  # its hello

        def read() -> None:
            try:
                for _ in stream:
                    pass
            except grpc.RpcError as error:
                told.append(error)
            ended.set()

        threading.Thread(target=read, daemon=True).start()
        ivan.run("leave", CHAT)
        assert ended.wait(5), "the stream of somebody who left goes on"
        closing.set()
        with pytest.raises(grpc.RpcError) as caught:
            list(made.stream_stream("/p2pchat.v1.Node/Link")(iter([b""]), timeout=CALL_S))
        assert refused(caught.value).code == "UNAUTHENTICATED"
    ivan.down()
