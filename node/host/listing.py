"""Discovery services as one asks for chats there: which are meant, and what they list."""

import asyncio

from .. import words
from ..codec import NetworkPage
from ..core.types import Address
from ..errors import BadField
from ..names import parse_address
from ..words import Mode
from .nodes import Node

ASK_MS = 2_000  # for one question to a discovery service
LISTED_MAX = 10_000  # networks of one list


def addresses_in(nds: str) -> tuple[Address, ...]:
    """The addresses in `nds`, which has commas between them; none where it is empty.

    Raises:
        BadField: one is none.
    """
    try:
        return tuple(dict.fromkeys(parse_address(one) for one in nds.split(",") if one.strip()))
    except ValueError as error:
        raise BadField(field="nds", text=str(error)) from error


async def networks(node: Node, nds: str) -> words.Networks:
    """All networks of these discovery services, or of all in use.  Raises BadField."""
    addresses = [*addresses_in(nds)] or [*node.nds_candidates()]
    lists = await asyncio.gather(*(networks_of(node, one) for one in addresses))
    silent = [at for at, rows in zip(addresses, lists, strict=True) if rows is None]
    why = {at: node.discovery(at).distrust for at in silent}
    for address in silent:
        node.forget_discovery(address)
    every = [row for rows in lists for row in rows or ()]
    return words.Networks(
        tuple(sorted(every, key=lambda row: (row.name, row.nds))),
        unreachable=tuple(at for at in silent if not why[at]),
        distrusted=tuple(why[at] for at in silent if why[at]),
    )


async def networks_of(node: Node, address: Address) -> list[words.Network] | None:
    """All pages of one discovery service; None where it does not answer."""
    mine = {one.group.chat for one in node.chats}
    rows: list[words.Network] = []
    token = ""
    while len(rows) < LISTED_MAX:
        page = await node.discovery(address).networks(
            page_size=1_000, page_token=token, deadline_ms=ASK_MS
        )
        if not isinstance(page, NetworkPage):
            return None
        for one in page.networks:
            record = one.record
            state = "member" if record.chat in mine else "idle" if one.idle else "live"
            rows.append(
                words.Network(
                    name=record.name,
                    chat_id=record.chat,
                    leader_id=record.leader,
                    address=record.address,
                    state=state,
                    nds=address,
                    seen_ms=one.seen,
                    epoch=words.Epoch(record.epoch.generation, record.epoch.n),
                    mode=Mode(record.mode),
                )
            )
        token = page.next_page_token
        if not token:
            break
    return rows
