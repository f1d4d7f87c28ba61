"""What people type: addresses, chats, join lines."""

import socket

import pytest

from node import names
from node.names import Target, is_known, parse_address, parse_listen, parse_target


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.5:50050", "10.0.0.5:50050"),
        (" host.example:1 ", "host.example:1"),
        ("[::1]:80", "[::1]:80"),
    ],
)
def test_an_address_is_host_and_port(text: str, address: str) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:0", "host:65536", "host:x", "::1:80", "ho st:1", "http://host:1", ":1"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|port"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0", "0.0.0.0:0"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("::", "[::]:0"),
        ("[::1]:9", "[::1]:9"),
    ],
)
def test_a_place_to_listen_may_have_no_port(text: str, address: str) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("dev", Target("dev")),
        ("#dev", Target("dev")),
        (" dev ", Target("dev")),
        ("10.0.0.5:50050/dev", Target("dev", address="10.0.0.5:50050")),
        ("10.0.0.5:50050/#dev", Target("dev", address="10.0.0.5:50050")),
        ("10.0.0.5:50050/dev#k7f2-x", Target("dev", address="10.0.0.5:50050", secret="k7f2-x")),
        ("dev@10.0.0.5:50050", Target("dev", at="10.0.0.5:50050")),
    ],
)
def test_a_chat_is_named_by_a_join_line_or_by_its_name(line: str, target: Target) -> None:
    assert parse_target(line) == target


@pytest.mark.parametrize(
    "line", ["", "#", "a b", "x" * 65, "host/dev", "dev@host", "a\x1b", "#a#b"]
)
def test_what_names_no_chat_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_target(line)


@pytest.mark.parametrize("line", ["10.0.0.5:50050", "10.0.0.5:50050/", "10.0.0.5:50050/#"])
def test_a_join_line_without_a_name_is_told_with_an_example(line: str) -> None:
    with pytest.raises(
        ValueError, match=r"^must be HOST:PORT/name, for example 10.0.0.5:50050/dev$"
    ):
        parse_target(line)


SECRET = "IqIHUy5Ap-J_AVacANgQ70J13XMjuEwBhG3k0ZtqW9xLr2Vd"


@pytest.mark.parametrize("secret", [SECRET, SECRET[:32]])
def test_an_invitations_secret_is_taken_for_no_name(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^must be HOST:PORT/name#SECRET, and has no") as refused:
        parse_target(f"10.0.0.5:50050/#{secret}")
    assert secret not in str(refused.value)
    assert parse_target(f"10.0.0.5:50050/{secret}").name == secret, "a chat may be called so"


@pytest.mark.parametrize("name", [SECRET[:31], SECRET[:16], "a" * 32, "team-of-48-" + "x" * 37])
def test_a_name_that_is_no_secret_may_have_a_hash_before_it(name: str) -> None:
    assert parse_target(f"10.0.0.5:50050/#{name}") == Target(name, address="10.0.0.5:50050")


@pytest.mark.parametrize(
    ("login", "nick"),
    [("alice", "alice"), ("DOM\\bob", "DOMbob"), ("", "me"), ("!!", "me"), ("a" * 40, "a" * 24)],
)
def test_a_login_name_becomes_a_nick(login: str, nick: str) -> None:
    assert names.nick_from_login(login) == nick


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.3.2.1:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("10.0.0.1:1", False),
        ("example.org:1", False),
    ],
)
def test_loopback_is_told_from_the_rest(address: str, loopback: bool) -> None:
    assert names.is_loopback(address) is loopback


def test_everywhere_is_no_address_to_dial() -> None:
    assert names.is_everywhere("0.0.0.0")
    assert names.is_everywhere("::")
    assert not names.is_everywhere("127.0.0.1")
    assert not names.is_everywhere("example.org")


def test_the_route_to_this_machine_is_loopback() -> None:
    assert names.route_to("127.0.0.1:50050") == "127.0.0.1"


def test_without_a_route_there_is_still_an_address() -> None:
    assert names.route_to("no-such-host.invalid:1") == "127.0.0.1"


def test_the_way_out_of_the_house_is_what_others_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "route_to", lambda _: "10.0.0.5")
    assert names.own_hosts() == ("10.0.0.5",)


def test_without_a_way_out_others_call_the_interfaces_that_are_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(names, "route_to", lambda _: "127.0.0.1")
    found = {"lo": "", "none": "", "self": "169.254.3.4", "lab": "192.168.77.6", "br": "10.7.0.1"}
    listed = list(enumerate(found, 1))[::-1]
    monkeypatch.setattr(names.socket, "if_nameindex", lambda: listed)
    monkeypatch.setattr(names, "_host_of", found.__getitem__)
    assert names.own_hosts() == ("192.168.77.6", "10.7.0.1", "169.254.3.4")


def test_the_address_of_an_interface_is_that_which_packets_from_it_carry() -> None:
    assert names._host_of("lo") == names._host_of("no-such-one") == ""
    found = {names._host_of(name) for _, name in socket.if_nameindex()}
    out = names.route_to(names.ELSEWHERE)
    assert out in found or names.is_loopback(f"{out}:1")


@pytest.mark.parametrize(("text", "number"), [("18a8701f5a291dce", True), ("dev", False)])
def test_sixteen_hex_digits_are_a_chats_number(text: str, number: bool) -> None:
    assert names.is_number(text) is number


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (None, True),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), False),
        (socket.gaierror(socket.EAI_AGAIN, "later"), True),
        (UnicodeError("too long"), False),
    ],
)
def test_a_host_is_unknown_only_where_that_is_sure(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, known: bool
) -> None:
    def resolve(*_: object, **__: object) -> list[object]:
        if error is not None:
            raise error
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert is_known("foo") is known
