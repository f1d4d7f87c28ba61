"""Names that people type: addresses, nicks, chats, and the line that others run to join.

`HOST:PORT/name[#mark]` is a join line; `name@HOST:PORT` says which discovery service is meant;
`#name` and `name` are one chat.  Pure but for `is_known`, which asks the resolver,
and `route_to` and `own_hosts`, which ask the kernel.
"""

import fcntl
import ipaddress
import re
import socket
import sys
from contextlib import suppress

from msgspec import Struct

from .limits import NICK_MAX, name_fault, nick_fault, split_address

ELSEWHERE = "192.0.2.1:9"  # in no network that there is (RFC 5737)
IFF_UP, IFF_LOOPBACK = 0x1, 0x8
SIOCGIF = {  # what asks for an interface's address, and for its flags
    "linux": (0x8915, 0x8913),
    "darwin": (0xC0206921, 0xC0206911),
}


def nick_from_login(login: str) -> str:
    """A nick out of a login name: what may not be in one is left out."""
    kept = "".join(char for char in login if not nick_fault(char))[:NICK_MAX]
    return kept or "me"


# ---- addresses ---------------------------------------------------------------------------------


def parse_address(text: str) -> str:
    """HOST:PORT to be dialled, checked and put into one form.

    Raises:
        ValueError: it is none; the text says why.
    """
    host, port = _split(text)
    if port is None:
        raise ValueError(f"must be HOST:PORT, not {text!r}")
    if not 1 <= port <= 65535:
        raise ValueError(f"the port must be 1 to 65535, not {port}")
    return join_address(host, port)


def parse_listen(text: str) -> str:
    """HOST[:PORT] to listen on; without a port, 0 is taken, which draws a free one.

    Raises:
        ValueError: it is none; the text says why.
    """
    host, port = _split(text)
    if port is None:
        port = 0
    if not 0 <= port <= 65535:
        raise ValueError(f"the port must be 0 to 65535, not {port}")
    return join_address(host, port)


def _split(text: str) -> tuple[str, int | None]:
    text = text.strip()
    if match := re.fullmatch(r"\[([0-9A-Fa-f:.%\w]+)\](?::(\d{1,6}))?", text):
        host, port = match[1], match[2]
    elif text.count(":") > 1:
        host, port = text, None  # a bare IPv6 address
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise ValueError(f"must be HOST:PORT, not {text!r}") from None
    elif match := re.fullmatch(r"([A-Za-z0-9_.-]{1,253})(?::(\d{1,6}))?", text):
        host, port = match[1], match[2]
    else:
        raise ValueError(f"must be HOST:PORT, not {text!r}")
    return host, int(port) if port is not None else None


def join_address(host: str, port: int) -> str:
    """HOST:PORT, with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(address: str) -> bool:
    """Whether only this machine can dial `address`."""
    host, _ = split_address(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_everywhere(host: str) -> bool:
    """Whether `host` stands for every address of the machine (0.0.0.0, ::)."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def is_known(host: str) -> bool:
    """Whether a host has an address; a name of which that cannot be found out just now counts."""
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return error.errno == socket.EAI_AGAIN
    except UnicodeError:  # Of a name that no resolver would take.
        return False
    return True


def route_to(address: str) -> str:
    """The own IP address that packets towards `address` carry; nothing is sent.

    Returns "127.0.0.1" where there is no route.
    """
    host, port = split_address(address)
    try:
        family, kind, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(target)
            return str(probe.getsockname()[0])
    except (OSError, UnicodeError):  # The latter of a name that no resolver would take.
        return "127.0.0.1"


def own_hosts() -> tuple[str, ...]:
    """The own IPv4 addresses that other machines may call, the likeliest first; nothing is sent.

    That on the way out of the house, where there is one; else those of the interfaces that are up,
    as in a lab without a way out: in the kernel's order, those that no network gave it last.
    """
    if not is_loopback(join_address(out := route_to(ELSEWHERE), 1)):
        return (out,)
    try:
        names = [name for _, name in sorted(socket.if_nameindex())]
    except OSError:
        return ()
    found = dict.fromkeys(filter(None, map(_host_of, names)))
    return tuple(sorted(found, key=lambda host: ipaddress.ip_address(host).is_link_local))


def _host_of(interface: str) -> str:
    """The address of an interface; empty where it has none, is not up, or is the loopback's."""
    if sys.platform not in SIOCGIF:
        return ""
    address_of, flags_of = SIOCGIF[sys.platform]
    asked = interface.encode().ljust(40, b"\0")  # struct ifreq: the name, and at 16 what it is
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        flags = int.from_bytes(fcntl.ioctl(probe, flags_of, asked)[16:18], sys.byteorder)
        if flags & IFF_UP and not flags & IFF_LOOPBACK:
            return socket.inet_ntoa(fcntl.ioctl(probe, address_of, asked)[20:24])
    return ""


# ---- chats -------------------------------------------------------------------------------------


# An invitation's, with or without what tells the NDS; it has letters of both kinds, but for luck.
_SECRET = re.compile(r"(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9_-]{32}([A-Za-z0-9_-]{16})?")


class Target(Struct, frozen=True):
    """A chat as somebody named it: through `address` (an NDS or a member), or `at` an NDS."""

    name: str
    address: str = ""
    at: str = ""
    secret: str = ""

    @property
    def hinted(self) -> str:
        return self.address or self.at


def parse_target(line: str) -> Target:
    """A join line, name@HOST:PORT, #name or name.

    Raises:
        ValueError: it is none; the text says why.
    """
    line = line.strip()
    address = at = secret = ""
    if "/" in line:
        address, _, line = line.partition("/")
        address = parse_address(address)
        line, _, secret = _named(line).partition("#")
    elif "@" in line:
        line, _, at = line.rpartition("@")
        at = parse_address(at)
    name = line.removeprefix("#")
    if (at_somebody := address or _address_in(name)) and (not name or not address):
        raise ValueError(f"must be HOST:PORT/name, for example {at_somebody}/dev")
    if fault := name_fault(name):
        raise ValueError(f"the name of a chat {fault}")
    return Target(name, address, at, secret)


def _named(line: str) -> str:
    """What stands behind the / of a join line, without the # that may stand before a name.

    Raises ValueError where the name itself is missing: what is left is nobody's to be told.
    """
    if not line.startswith("#"):
        return line
    if _SECRET.fullmatch(line[1:]):
        raise ValueError(
            "must be HOST:PORT/name#SECRET, and has no name before the # (a chat that is called"
            " like a secret is named without the #)"
        )
    return line[1:]


def _address_in(text: str) -> str:
    """The address that stands where a name should; empty where there is none."""
    try:
        return parse_address(text)
    except ValueError:
        return ""


def is_number(chat: str) -> bool:
    """Whether `chat` is a chat's number: 16 hex digits."""
    return bool(re.fullmatch(r"[0-9a-fA-F]{16}", chat))
