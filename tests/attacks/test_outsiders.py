"""Whoever reaches a member's port, and is no member."""

import grpc
import pytest
from msgspec.structs import replace

from node.core import messages as m
from node.core.inviting import check_of, joiner_proof
from node.core.types import Epoch
from node.trust import keys
from tests.attacks.site import CALL_S, CHAT, Refused, Site, call, channel, refused

pytestmark = pytest.mark.xdist_group("attacks")

NOBODY = 999_999  # an id that nobody has
DENIED = Refused("PERMISSION_DENIED", "WRONG_CERTIFICATE")
UNKNOWN = Refused("NOT_FOUND", "UNKNOWN_MEMBER")
KINDS = (
    *("update", "leave", "ping", "elect", "hand over", "coordinator", "tell", "relay", "acks"),
    *("sync", "read"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_that_says_it_is_a_member_is_refused(site: Site, kind: str) -> None:
    """It knows the ids, the epoch and everything else, but for the member's key."""
    with site.unharmed():
        request = site.requests(site.id["carol"], "bob")[kind]
        assert call(site.listen["bob"], site.stranger.tls, request) == DENIED


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_that_says_it_leads_is_refused(site: Site, kind: str) -> None:
    with site.unharmed():
        request = site.requests(site.id["alice"], "carol")[kind]
        assert call(site.listen["carol"], site.stranger.tls, request) == DENIED


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_in_its_own_name_is_unknown(site: Site, kind: str) -> None:
    """Also where it brings a record of itself, in which it belongs."""
    with site.unharmed():
        request = site.requests(NOBODY, "bob")[kind]
        assert call(site.listen["bob"], site.stranger.tls, request) == UNKNOWN


@pytest.mark.parametrize("who", ["plain", "self-signed", "no certificate"])
def test_who_shows_no_certificate_of_ours_gets_no_connection(site: Site, who: str) -> None:
    address, request = site.listen["bob"], site.requests(site.id["carol"], "bob")["ping"]
    with site.unharmed():
        if who == "plain":
            assert call(address, None, request).code == "UNAVAILABLE"
        else:
            with _odd(address, who) as made, pytest.raises(grpc.RpcError) as caught:
                made.unary_unary("/p2pchat.v1.Node/LivenessPing")(b"", timeout=CALL_S)
            assert caught.value.code().name == "UNAVAILABLE"  # type: ignore[attr-defined]


def _odd(address: str, who: str) -> grpc.Channel:
    from node.trust.certificates import HOST, authority
    from tests.attacks.selfsigned import selfsigned

    own = selfsigned() if who == "self-signed" else (None, None)
    credentials = grpc.ssl_channel_credentials(authority(), *own)
    options = [("grpc.ssl_target_name_override", HOST), ("grpc.enable_http_proxy", 0)]
    return grpc.secure_channel(address, credentials, options=options)


@pytest.mark.parametrize(
    ("method", "payload"),
    [
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", b"\x3a\x00"),
        ("/grpc.health.v1.Health/Check", b""),
        ("/grpc.health.v1.Health/Watch", b""),
    ],
)
def test_a_stranger_is_shown_nothing(site: Site, method: str, payload: bytes) -> None:
    with (
        site.unharmed(),
        channel(site.listen["bob"], site.stranger.tls) as made,
        pytest.raises(grpc.RpcError) as caught,
    ):
        list(made.stream_stream(method)(iter([payload]), timeout=CALL_S))
    assert refused(caught.value).code == "PERMISSION_DENIED"


def test_a_stranger_gets_no_link(site: Site) -> None:
    with (
        site.unharmed(),
        channel(site.listen["bob"], site.stranger.tls) as made,
        pytest.raises(grpc.RpcError) as caught,
    ):
        list(made.stream_stream("/p2pchat.v1.Node/Link")(iter([b""]), timeout=CALL_S))
    assert refused(caught.value).code == "UNAUTHENTICATED"


def test_a_stranger_does_not_pass_for_the_discovery_service(site: Site) -> None:
    with site.unharmed():
        caller = m.Caller(site.chat, 0, 0, Epoch(0, 0))
        asked = m.Ping(caller, None, asks_leading=site.view.epoch)
        assert call(site.listen["alice"], site.stranger.tls, asked) == DENIED
        asked = m.Ping(replace(caller, callee=site.id["alice"]), None)
        assert call(site.listen["alice"], site.stranger.tls, asked) == DENIED


# ---- getting in ----------------------------------------------------------------------------------


def test_who_is_not_invited_is_told_so(site: Site) -> None:
    with site.unharmed():
        answer = call(site.listen["alice"], site.stranger.tls, site.join(site.stranger))
        assert answer == Refused("PERMISSION_DENIED", "NOT_INVITED")


def test_a_card_of_somebody_else_gets_nobody_in(site: Site) -> None:
    """The card of a member is no secret; the key of its certificate is."""
    with site.unharmed():
        for name in ("bob", "carol"):
            theirs = site.keys[name]
            asked = site.join(site.stranger, identity=theirs.identity, card=theirs.card)
            assert call(site.listen["alice"], site.stranger.tls, asked) == DENIED


def test_an_own_card_under_another_identity_is_malformed(site: Site) -> None:
    with site.unharmed():
        asked = site.join(site.stranger, identity=site.keys["bob"].identity)
        assert call(site.listen["alice"], site.stranger.tls, asked).code == "INVALID_ARGUMENT"


def test_no_card_gets_nobody_in(site: Site) -> None:
    with site.unharmed():
        asked = site.join(site.stranger, card=m.NO_CARD)
        assert call(site.listen["alice"], site.stranger.tls, asked) == DENIED
        asked = site.join(site.stranger, identity=site.keys["bob"].identity, card=m.NO_CARD)
        assert call(site.listen["alice"], site.stranger.tls, asked) == DENIED


@pytest.mark.parametrize("how", ["guessed", "check", "passed on", "of another", "no such one"])
def test_a_proof_that_is_not_ones_own_is_wrong(site: Site, how: str) -> None:
    """Who stands between a joiner and the leader has its proof, but not the secret."""
    alice = site.cluster["alice"]
    line = alice.row("invite", "-c", CHAT)
    secret = _secret(line["join"])
    own, other = site.stranger, keys.make()
    leader = site.keys["alice"].card.certificate
    proofs: dict[str, bytes] = {
        "guessed": joiner_proof(check_of(b"?" * 16), own.identity, own.card.certificate, leader),
        "check": check_of(secret),
        "passed on": joiner_proof(
            check_of(secret), own.identity, own.card.certificate, other.card.certificate
        ),
        "of another": joiner_proof(
            check_of(secret), other.identity, other.card.certificate, leader
        ),
        "no such one": joiner_proof(check_of(secret), own.identity, own.card.certificate, leader),
    }
    invite = 1 if how == "no such one" else int(line["id"], 16)
    with site.unharmed():
        asked = site.join(own, invite=invite, proof=proofs[how])
        answer = call(site.listen["alice"], own.tls, asked)
        assert answer == Refused("PERMISSION_DENIED", "WRONG_SECRET")
    alice.run("invite", "-c", CHAT, "--revoke", line["id"])


def _secret(line: str) -> bytes:
    from node.host.inviting import parse

    secret = parse(line.rpartition("#")[2]).secret
    assert secret is not None, line
    return secret.key


@pytest.mark.parametrize("how", ["revoked", "expired", "once"])
def test_a_line_that_was_used_up_is_of_no_use_to_who_finds_it(
    site: Site, how: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alice = site.cluster["alice"]
    flags = {"expired": ["--expires", "1s"], "once": ["--once"], "revoked": []}[how]
    line = alice.row("invite", "-c", CHAT, *flags)
    thief = site.cluster.members.get("mallory") or site.cluster.add("mallory")
    if not thief.is_up():
        thief.up("--nick", "mallory")
    if how == "revoked":
        alice.run("invite", "-c", CHAT, "--revoke", line["id"])
    elif how == "expired":
        _wait_until_expired(site, line["id"])
    else:
        guest = site.cluster.add("guest")
        guest.run("join", line["join"], "--no-ui", "--nick", "guest")
        guest.run("leave", CHAT)
        guest.down()
    with site.unharmed():
        told = thief.run("join", line["join"], "--no-ui", code=7)
        assert "did not let you in" in str(told)


def _wait_until_expired(site: Site, id: str) -> None:
    from tests.waiting import wait_for

    def expired() -> bool:
        rows = site.cluster["alice"].ask("ListInvites", chat=CHAT).invites
        return any(one.id == id and one.state == "expired" for one in rows)

    wait_for(expired, "the invitation expires")


def test_a_secret_stands_nowhere_on_disk(site: Site) -> None:
    line = site.cluster["alice"].row("invite", "-c", CHAT)
    text = line["join"].rpartition("#")[2]
    secret = _secret(line["join"])
    joined = site.cluster.add("reader")
    joined.run("join", line["join"], "--no-ui", "--nick", "reader")
    wanted = (text.encode(), secret, secret.hex().encode())
    files = [file for file in site.cluster.directory.rglob("*") if file.is_file()]
    found = [file for file in files if any(one in file.read_bytes() for one in wanted)]
    assert not found
    joined.run("leave", CHAT)
    joined.down()
