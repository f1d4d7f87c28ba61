"""How connections are tuned, in one place, and how an address is dialled.

By default two servers share a port in silence, a channel takes 23 s to come back after a cut, a
frozen peer goes unnoticed for a minute, and a server answers frequent keepalives with GOAWAY.

Every file that needs gRPC takes it from here: gRPC reads GRPC_VERBOSITY when it is imported.
"""

import os
from ipaddress import AddressValueError, IPv4Address

from node.core.types import Address

# Its core would write to stderr, beside our logs.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
import grpc

REQUEST_BYTES_MAX = 512 * 1024
REPLY_BYTES_MAX = 4 * 1024 * 1024
RPCS_MAX = 8_192  # of a server at one time
# Of one connection, four times what a node has under way to one address.  What is more waits at its
# caller, once that knows; before, and of a caller that does not wait, it is reset.
STREAMS_MAX = 512
CONNECTIONS_MAX = 8_192  # half of the files that a node opens at most

_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
)
# Nobody here compresses: a kilobyte could be made to stand for a megabyte.
_UNCOMPRESSED = ("grpc.compression_enabled_algorithms_bitset", 1)
CHANNEL_OPTIONS = (
    *_KEEPALIVE,
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_500),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.client_idle_timeout_ms", 2**31 - 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel does not inherit an old one's back-off
    ("grpc.max_receive_message_length", REPLY_BYTES_MAX),
    _UNCOMPRESSED,
)
SERVER_OPTIONS = (
    *_KEEPALIVE,
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
    ("grpc.server_handshake_timeout_ms", 10_000),  # who says nothing is not waited for
    ("grpc.max_allowed_incoming_connections", CONNECTIONS_MAX),
    ("grpc.max_metadata_size", 8 * 1024),  # of headers; from here on some are refused ...
    ("grpc.absolute_max_metadata_size", 16 * 1024),  # ... and all from here on
    _UNCOMPRESSED,
)
# For ports that others than this user reach.
BOUNDED_OPTIONS = (*SERVER_OPTIONS, ("grpc.max_concurrent_streams", STREAMS_MAX))

__all__ = ["BOUNDED_OPTIONS", "CHANNEL_OPTIONS", "RPCS_MAX", "SERVER_OPTIONS", "grpc", "target"]


def target(address: Address) -> str:
    """What gRPC is to dial for HOST:PORT, whatever else HOST might mean to it."""
    host, _, _ = address.rpartition(":")
    if host.startswith("["):
        return f"ipv6:{address}"
    try:
        IPv4Address(host)
    except AddressValueError:
        return f"dns:///{address}"
    return f"ipv4:{address}"
