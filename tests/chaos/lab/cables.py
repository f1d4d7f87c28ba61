"""Cables (veth pairs) whose frames a switch in user space may forward.

A kernel leaves checksums and the cutting of large segments to the card.  A veth is none, and what a
raw socket reads and writes again has lost the note that they are still to be done, so the receiver
drops it.  Both are therefore switched off before the ends move into their namespaces.
"""

import fcntl
import socket
import struct

SIOCETHTOOL = 0x8946
# ETHTOOL_S...: receive and send checksums, scatter-gather, segments joined and cut by the card.
SWITCHES = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}
OPTIONAL = {"rx", "sg"}  # a veth may not let them be set, and does not need it


def make_plain(interface: str) -> None:
    """Has the kernel finish each frame before it enters the cable.  Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        for name, command in SWITCHES.items():
            value = bytearray(struct.pack("=II", command, 0))
            # struct ifreq: the interface's name, then a pointer to our value.
            pointer = _address_of(value)
            request = struct.pack("16sP", interface.encode(), pointer) + bytes(16)
            try:
                fcntl.ioctl(way, SIOCETHTOOL, request)
            except OSError:
                if name not in OPTIONAL:
                    raise


def _address_of(value: bytearray) -> int:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(value))
