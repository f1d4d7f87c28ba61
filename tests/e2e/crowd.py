"""Many nodes in a process: `python -m tests.e2e.crowd HOME NDS PRESET NICK...`, until told to end.

Each node has a profile of its own, named as its nick, with all that is the node's but its log; it
is driven on its control socket as every node.  So a crowd costs an interpreter for many nodes.
"""

import asyncio
import signal
import sys
from pathlib import Path

import grpc

from node import profile
from node.config import load
from node.control.service import ControlService
from node.host.nodes import Node
from node.places import places
from node.service import build_server
from node.trust import keys


async def raised(home: Path, nds: str, preset: str, nick: str) -> tuple[Node, grpc.aio.Server]:
    """A node, and the server of its control socket."""
    spot = places(nick, str(home), {})
    spot.make()
    config = load(spot, {"nick": nick, "nds": [nds], "preset": preset}, {}, {})
    node = Node(spot, config, profile.load(spot.data), keys.load(spot.data))
    await node.start()
    server, _ = await build_server(f"unix:{spot.socket}", [ControlService(node, node.ended.set)])
    await server.start()
    return node, server


async def main(home: Path, nds: str, preset: str, nicks: list[str]) -> None:
    """Raises all, says so, and ends when it is told to."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    nodes = [await raised(home, nds, preset, nick) for nick in nicks]
    print("ready", flush=True)
    await told.wait()
    crashed = [node.crash for node, _ in nodes if node.crash]
    await asyncio.gather(*(server.stop(0) for _, server in nodes))
    await asyncio.gather(*(node.stop() for node, _ in nodes))
    if crashed:
        sys.exit("\n".join(crashed))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]))
