"""Which addresses this service calls, and how often: it is nobody's scanner.

Where a leader is to be asked has been said by a client.  It is called there only if the client came
from there, or could call it as well as we can:

- who is on this machine may name any address, and nobody else a loopback one;
- else it must be the IP address that the client came from,
- or both are of private networks, which those who are inside one can look around in by themselves.

A name is called at the addresses that it has, of those that may be called.  Which clients cause how
many calls is bounded as well.  Who is not called counts as silent: its renewals speak for it.
"""

import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias
from urllib.parse import unquote

from nds.budget import Buckets, Rate

QUESTIONS = Rate(20, 200, "questions")  # that one IP address causes
IP: TypeAlias = IPv4Address | IPv6Address


def host_of(peer: str) -> str:
    """The IP address in gRPC's name for the other end of a connection; empty where it has none."""
    family, _, rest = unquote(peer).partition(":")
    host = rest.rpartition(":")[0].strip("[]")
    return host if family in {"ipv4", "ipv6"} and _parsed(host) is not None else ""


def may_call(host: str, address: str) -> bool:
    """May a client that came from the one IP address have us call the other?"""
    came, there = _parsed(host), _parsed(address)
    if came is None or there is None or there.is_multicast or there.is_unspecified:
        return False
    if came.is_loopback or came == there:
        return True
    if there.is_loopback or came.is_link_local != there.is_link_local:
        return False
    return not came.is_global and not there.is_global


class Allowance:
    """How many questions the clients of one IP address may still cause.  `now` gives seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._buckets, self._now = Buckets(QUESTIONS), now

    def take(self, host: str) -> bool:
        """One more; False where that would be too many."""
        now = self._now()
        if self._buckets.wait_s(host, now):
            return False
        self._buckets.take(host, now)
        return True


def _parsed(host: str) -> IP | None:
    try:
        parsed = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed
