"""Where a node listens, and under which address others are told to call it.

Without a word about it a node listens on 127.0.0.1, and, once it has to do with a discovery service
elsewhere, on the address on the route towards that, too: nothing more of a machine is open than the
chats there need.  Whoever says where (`--listen`) gets that and nothing else.
"""

import logging
from collections.abc import Awaitable, Callable

from ..config import Config
from ..core.types import Address
from ..errors import NotListening, PlainConnections, PortInUse
from ..limits import split_address
from ..names import is_everywhere, is_loopback, join_address, route_to
from ..rpc.options import grpc

_log = logging.getLogger(__name__)


class Listening:
    """The servers of a node, which are all the same.  `start` first, `stop` last.

    `build` makes one that serves once it is started, and gives its port; it raises `PortInUse`.
    """

    def __init__(
        self, config: Config, build: Callable[[Address], Awaitable[tuple[grpc.aio.Server, int]]]
    ) -> None:
        self._config, self._build = config, build
        self._servers: dict[str, grpc.aio.Server] = {}  # by host
        self._ports: dict[str, int] = {}
        self._serving = False
        self.host, self.port = split_address(config.listen)

    @property
    def address(self) -> Address:
        """The first address listened on, as it was said."""
        return join_address(self.host, self.port)

    @property
    def ports(self) -> list[int]:
        """All that are listened on."""
        return list(self._ports.values())

    @property
    def dialled(self) -> Address:
        """One HOST:PORT that can be dialled from this machine."""
        return join_address("127.0.0.1" if is_everywhere(self.host) else self.host, self.port)

    async def open(self) -> None:
        """Takes the port; serves once `start` is called.

        Raises:
            PlainConnections: others could reach, or are told of, connections that are not secured.
            PortInUse: the address that was asked for is not to be had.
        """
        if self._config.insecure == "on":
            for address in filter(None, (self.address, self._config.advertise)):
                if not is_loopback(address):
                    raise PlainConnections(address=address)
        try:
            await self._bind(self.host, self.port)
        except PortInUse:
            if self._config.sources["listen"] != "profile" or not self.port:
                raise
            await self._bind(self.host, 0)  # The port of the last run was only drawn.
        self.port = self._ports[self.host]

    async def start(self) -> None:
        """Answers calls."""
        self._serving = True
        for server in self._servers.values():
            await server.start()

    async def stop(self, grace_s: float) -> None:
        """Lets go of every port."""
        for server in self._servers.values():
            await server.stop(grace_s)

    async def reach(self, nds: Address) -> None:
        """Has others who know of us by the discovery service at `nds` be able to call us.

        Raises:
            NotListening: where we were told to listen nobody there could call us.
            PlainConnections: its connections would not be secured.
        """
        if is_loopback(nds) or not is_loopback(self.address):
            return
        if self._config.insecure == "on":
            raise PlainConnections(address=nds)
        host = route_to(nds)
        if self._config.advertise or host in self._servers or is_loopback(join_address(host, 1)):
            return
        if self._config.sources["listen"] not in ("default", "profile"):
            raise NotListening(listen=self.address, nds=nds)
        try:
            await self._bind(host, self.port)
        except PortInUse:
            await self._bind(host, 0)
        _log.info("listens on %s, too", join_address(host, self._ports[host]))

    async def _bind(self, host: str, port: int) -> None:
        server, self._ports[host] = await self._build(join_address(host, port))
        self._servers[host] = server
        if self._serving:
            await server.start()

    def advertised(self, nds: Address) -> Address:
        """What others are told to call: as set, else the address on the route towards the NDS."""
        if self._config.advertise:
            return self._config.advertise
        if not nds or is_loopback(nds):
            return self.dialled
        host = route_to(nds)
        if is_everywhere(self.host):
            return join_address(host, self.port)
        return join_address(host, self._ports[host]) if host in self._ports else self.address
