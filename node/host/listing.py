"""Discovery services as one asks for chats there: which are meant, and what they list."""

import asyncio
import math

from .. import words
from ..codec import NetworkPage
from ..core.types import Address
from ..errors import BadField
from ..names import parse_address
from ..words import Mode
from .nodes import Node

ASK_MS = 2_000  # for one question to a discovery service
LISTED_MAX = 10_000  # networks of one list
PAGES_MAX = 100  # of one list; ours have a thousand networks each
LIST_MS = 6_000  # for all pages of one list


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
    lists = await asyncio.gather(*(_listed(node, one) for one in addresses))
    why = {at: one for at, one in zip(addresses, lists, strict=True) if isinstance(one, str)}
    for address in why:
        node.forget_discovery(address)
    every = [row for rows in lists if not isinstance(rows, str) for row in rows]
    return words.Networks(
        tuple(sorted(every, key=lambda row: (row.name, row.nds))),
        unreachable=tuple(at for at, text in why.items() if not text),
        distrusted=tuple(text for text in why.values() if text),
    )


async def networks_of(node: Node, address: Address) -> list[words.Network] | None:
    """All pages of one discovery service; None where it does not answer, or does not end."""
    rows = await _listed(node, address)
    return None if isinstance(rows, str) else rows


async def _listed(node: Node, address: Address) -> list[words.Network] | str:
    """The same; or why it is not trusted, empty where it does not answer.

    A page that says that there are more brings some, and the next one is another: a service that
    goes on for ever is not heard to the end of our patience.
    """
    mine = {one.group.chat for one in node.chats}
    rows: list[words.Network] = []
    token, tokens = "", {""}
    now = asyncio.get_running_loop().time
    ends_at = now() + LIST_MS / 1000
    while len(rows) < LISTED_MAX:
        left_ms = math.ceil(1000 * (ends_at - now()))
        if left_ms <= 0 or len(tokens) > PAGES_MAX:
            return f"the list of the NDS at {address} does not end"
        page = await node.discovery(address).networks(
            page_size=1_000, page_token=token, deadline_ms=min(ASK_MS, left_ms)
        )
        if not isinstance(page, NetworkPage):
            return node.discovery(address).distrust
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
        if token in tokens or not (page.networks or page.left_out):
            return f"the list of the NDS at {address} does not end"
        tokens.add(token)
    return rows
