"""What is written down of a chat: one line of the node's log for each notice.

What is said in the chat never stands there.  Tried in tests/node/test_logs.py.
"""

import logging
from logging import LoggerAdapter
from typing import Any, TypeAlias, assert_never

from ..core.effects import (
    Acknowledged,
    Deliver,
    Departed,
    Dropped,
    ElectionMoved,
    Forged,
    HolesDeclared,
    HolesFilled,
    Joined,
    JoinFailed,
    Jumped,
    LeaderChanged,
    LineChanged,
    ListedAs,
    MemberChanged,
    Merged,
    NdsChanged,
    Notice,
    Reinstated,
    Settled,
    SplitHealed,
    Stopped,
)
from ..core.types import small
from ..runner import Halted

Log: TypeAlias = LoggerAdapter[Any]

CAUGHT_UP: dict[type, str] = {
    Merged: "caught up %s messages from %s",
    HolesDeclared: "%s messages of %s are lost",
    HolesFilled: "%s lost messages of %s turned up",
    Jumped: "%s messages of %s were trimmed by all who were there",
}


def write_down(log: Log, notice: Notice | Halted) -> None:
    """One line of the log for each notice; what is said in the chat never stands there."""
    match notice:
        case Deliver(message=message, way=way):
            log.debug("delivered %s from %s %s", message.id, small(message.key.source), way.value)
        case Acknowledged(by=by, way=way, acked=acked, of=of):
            log.debug("acknowledged by %s %s %s/%s", small(by), way.value, acked, of)
        case LineChanged(spot=spot, by=by, kind=kind):
            log.info("line of %s: %s by %s", small(spot.key.source), kind.name, small(by))
        case Settled(missing=missing):
            log.debug("settled missing %s", [small(one) for one in missing])
        case Dropped() | Forged() | ListedAs() | JoinFailed():
            log.warning("%s", _refused(notice))
        case MemberChanged(member=member, change=change):
            log.info("member %s %s", small(member), change.value)
        case LeaderChanged(leader=leader, epoch=epoch, provisional=provisional, took_ms=took):
            how = "leads provisionally" if provisional else "leads"
            log.info("%s %s epoch %s after %s ms", small(leader), how, epoch.n, took)
        case ElectionMoved(by=by, phase=phase, detail=detail, whom=whom):
            level = logging.DEBUG if whom else logging.INFO
            step = f"{phase.value} {small(whom)}" if whom else phase.value
            log.log(level, "election by %s %s %s", small(by), step, detail)
        case Joined(member=member):
            log.info("admitted as %s", small(member))
        case (
            Merged(count=count, source=source)
            | HolesDeclared(count=count, source=source)
            | HolesFilled(count=count, source=source)
            | Jumped(count=count, source=source)
        ):
            log.info(CAUGHT_UP[type(notice)], count, small(source))
        case NdsChanged(up=up):
            log.info("NDS %s", "answers" if up else "does not answer")
        case SplitHealed(messages=count, leader=leader, epoch=epoch):
            there = small(leader), epoch.n
            log.info("split healed, %s messages, %s led epoch %s there", count, *there)
        case Departed(told=told, untold=untold, deleted=deleted, kicked=kicked):
            how = "removed" if kicked else "left"
            how += ", network deleted" if deleted else ""
            log.info("%s, told %s, not told %s", how, told, untold)
        case Reinstated():
            log.info("a member still: what removed this one does not count")
        case Stopped(reason=reason) | Halted(reason=reason):
            log.info("stopped %s", reason)
        case _:
            assert_never(notice)


def _refused(notice: Dropped | Forged | ListedAs | JoinFailed) -> str:
    """What is not as it should be, for the log."""
    match notice:
        case Dropped(reason=reason):
            return f"dropped {reason}"
        case Forged(by=by, source=source):
            return f"{small(by)} handed on what {small(source)} has not signed"
        case ListedAs(name=name):
            return f"the NDS lists it as {name}"
        case JoinFailed(reason=reason, text=text):
            return f"not admitted: {reason}, {text}"
