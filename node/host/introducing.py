"""The discovery service of a chat, as whoever lets us in knows it.

Who comes in through a member has not spoken to that service yet.  Taking whoever answers at its
address for it could be wrong for good: its grants would be no proof of who leads.  But where nobody
answers there, that is the word of one who lets in, which counts in its chat alone.
"""

from collections.abc import Callable

from ..core.messages import Refusal, Reply, Request, Welcome
from ..core.reasons import Reason
from ..core.types import Address, ChatId, Millis
from ..errors import Complaint
from ..runner import Peers, Silenced
from .registries import Registries, Word


class Introduced:
    """Calls of a chat.  A welcome is heard once the service that it names is known by the
    certificate that the welcome names; where another one is, or answers there, it is a refusal.
    So it is where who did not ask for a chat by its number is let into one that it `is_in`: what
    is signed in one would be so in the other.
    """

    def __init__(
        self,
        peers: Peers,
        registries: Registries,
        word: Word,
        is_in: Callable[[ChatId], bool],
        nds: Address = "",
    ) -> None:
        """`nds`: the one by which this chat goes, whatever others call theirs; empty: theirs."""
        self._peers, self._registries, self._word, self._is_in = peers, registries, word, is_in
        self._nds = nds
        self.prepare = peers.prepare

    def begin(
        self,
        address: Address,
        certificate: bytes,
        request: Request,
        deadline_ms: Millis,
        then: Callable[[Reply | Refusal | Silenced], None],
    ) -> bool:
        """As the calls of others: joins do not go by links."""
        return self._peers.begin(address, certificate, request, deadline_ms, then)

    async def call(
        self, address: Address, certificate: bytes, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        """As the calls of others; after a welcome that one looks whom it names."""
        outcome = await self._peers.call(address, certificate, request, deadline_ms)
        if not isinstance(outcome, Welcome):
            return outcome
        if not request.caller.chat and self._is_in(outcome.chat):
            return Refusal(
                Reason.BAD_FIELD, "who answers there names a chat that you are in already"
            )
        if outcome.nds and outcome.service and self._nds in ("", outcome.nds):
            try:
                if not await self._registries.introduce(outcome.nds, outcome.service):
                    self._word.take(outcome.nds, outcome.service)
            except Complaint as error:
                return Refusal(Reason.WRONG_NDS, str(error))
        return outcome
