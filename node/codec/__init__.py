"""Protobuf to the core's values and back: the only place that knows both.

What goes out is trusted.  What comes in is checked here, every field of it, so that the core sees
well-typed values within their bounds and has only their meaning left to check; `Malformed` names
every violation at once.  `node.limits` has the bounds.
"""

from node.codec.calls import METHODS, Method, method_of, parse
from node.codec.check import Check, Malformed
from node.codec.facts import PROTOCOL, program
from node.codec.frames import CARRIED, AskWriter, Hello, call_of
from node.codec.nds import (
    NDS_METHODS,
    Browse,
    Create,
    Created,
    NdsMethod,
    Network,
    NetworkChange,
    NetworkPage,
    get_change,
    get_network,
)
from node.codec.sealing import Seals

__all__ = [
    "CARRIED",
    "METHODS",
    "NDS_METHODS",
    "PROTOCOL",
    "AskWriter",
    "Browse",
    "Check",
    "Create",
    "Created",
    "Hello",
    "Malformed",
    "Method",
    "NdsMethod",
    "Network",
    "NetworkChange",
    "NetworkPage",
    "Seals",
    "call_of",
    "get_change",
    "get_network",
    "method_of",
    "parse",
    "program",
]
