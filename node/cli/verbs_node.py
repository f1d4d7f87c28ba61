"""Verbs about the node of this profile: up, down, status, doctor, rpc, and the node itself."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from .. import background
from ..errors import (
    DONE,
    Complaint,
    NodeDown,
    NodeSilent,
    NotStarted,
    ProfileInUse,
    Usage,
    starting,
)
from ..words import Status
from .render import records, shell, tables
from .render.text import places
from .run import Run, wait

UP_S = 60.0  # a loaded machine takes its time to start an interpreter, and to read a long log
DOWN_S = 15.0  # handing over and closing each group has its own, shorter, deadlines
START_FLAGS = (  # of no use later on
    "listen",
    "advertise",
    "insecure",
    "preset",
    "durability",
    "timing",
)
NODE_FLAGS = ("nick", "listen", "advertise", "preset", "durability", "log_level")


def ensure(run: Run, *, nick_later: bool = False) -> tuple[Status, bool]:
    """The node's status, and whether it ran already; starts it in the background where not.

    `nick_later`: the nick may be meant for a chat that leaves nothing on disk.

    Raises:
        Complaint: it does not start; the complaint is its own.
    """
    if run.is_up():
        given = [name for name in START_FLAGS if run.flag(name)]
        if given:
            flags = ", ".join(f"--{name}" for name in given)
            run.output.note(
                f"the node runs already; {flags} counts at its start: 'p2pchat down' first"
            )
        return _status(run), True
    run.config.build_timing()  # complains here rather than in the background
    command = background.python("node", *_flags(run, nick_later))
    with starting():
        run.places.make()
        process = background.spawn(command, run.places.output)
    until = time.monotonic() + UP_S
    while not run.is_up():
        if process.has_ended():
            told = background.last_words(run.places.output, "p2pchat", run.places.log)
            if not isinstance(told, ProfileInUse) or time.monotonic() > until:
                raise told  # else somebody else has just started it: it will be up
        elif time.monotonic() > until:
            text = f"it is not ready after {UP_S:g} s, and process {process.pid} goes on."
            raise NotStarted(text=text, log=run.places.log)
        time.sleep(background.TURN_S)
    return _status(run), False


def news(status: Status, already: bool) -> tuple[str, ...]:
    """What is to be said of a node that is up; what ended before, by whoever started it alone."""
    said = () if already or not status.ended else (status.ended,)
    return (*status.problems, *said)


def _flags(run: Run, nick_later: bool) -> list[str]:
    """The command line of the node itself; a value may begin with a dash."""
    flags = ["_node", f"--profile={run.places.profile}"]
    flags += ["--nick-later"] if nick_later else []
    flags += ["--insecure"] if run.flag("insecure") else []
    flags += [f"--home={run.places.home}"] if run.places.home else []
    for name in NODE_FLAGS:
        if run.flag(name):
            flags.append(f"--{name.replace('_', '-')}={run.flag(name)}")
    for name in ("nds", "timing"):
        flags += [f"--{name}={one}" for one in run.flag(name) or ()]
    return flags


def _status(run: Run) -> Status:
    found: list[Status] = []

    async def work() -> int:
        async with run.client() as node:
            found.append(await node.status())
        return DONE

    wait(work())
    return found[0]


def _up(run: Run) -> int:
    """Starts the node where it does not run; says where it is."""
    status, already = ensure(run)
    verb = "runs already" if already else "is up"
    row: records.Row = {
        "pid": status.pid,
        "listen": status.listen,
        "advertise": status.advertise,
        "control": status.control,
        "already": already,
    }
    chats = places(status.chats, status.nick)
    line = f"{status.nick}: node {status.pid} {verb}, listens on {status.listen}"
    notes = tuple(f"NDS {one.address} is {one.state}" for one in status.nds if one.down_since_ms)
    faults = [one for one in status.nds if one.fault and not one.down_since_ms]
    notes += tuple(f"NDS {one.address} {one.state}" for one in faults)
    notes += news(status, already)
    told = (f"{line}, in {chats}" if chats else line,)
    return run.output.answer(tables.Answer(told, (row,), notes))


def _down(run: Run) -> int:
    """Stops the node, waits until it has ended; with --all the NDS that `host` started too."""
    pid = stop(run)
    nds_pid = background.stop_nds(run.places) if run.args.all else 0
    if nds_pid and not background.wait_gone(nds_pid, DOWN_S):
        raise Complaint(text=f"the NDS (pid {nds_pid}) does not end")
    lines = [f"node {pid} has ended" if pid else "no node runs"]
    lines += [f"NDS {nds_pid} has ended"] if nds_pid else []
    row: records.Row = {"pid": pid or None, "nds_pid": nds_pid or None}
    return run.output.answer(tables.Answer(tuple(lines), (row,)))


def stop(run: Run) -> int:
    """Ends the node and waits until it has; its pid, 0 where none ran.

    Raises:
        NodeSilent: it does not end.
    """
    from .. import profile

    found: list[int] = []

    async def work() -> int:
        async with run.client() as node:
            found.append((await node.stop()).pid)
        return DONE

    if run.is_up():
        with suppress(NodeDown):  # it was ending already
            wait(work())
    pid = found[0] if found else profile.holder(run.places.data)
    if pid and not background.wait_gone(pid, DOWN_S):
        raise NodeSilent(profile=run.places.profile, seconds=DOWN_S, log=run.places.log)
    return pid


SERVICES = {
    "Control": (
        "GetStatus CreateChat JoinChat LeaveChat ListNetworks ListMembers Send Edit Redact"
        " ReadHistory Watch"
        " GetLeader ListPeers PingMembers TraceMessage GetUnread MarkRead Invite SetPassword"
        " ListElections StartElection CheckHistory ListCalls ListQueue SetNick SetAway SetTopic"
        " Decide Diagnose StopNode"
    ),
    "Node": (
        "JoinNetwork LeaveNetwork UpdateMembers LivenessPing Election Coordinator Message"
        " Acknowledge Sync Link"
    ),
    "NodeDiscovery": (
        "CreateNetwork GetNetworkInformation UpdateLeader Renew DeleteNetwork WatchNetworks"
    ),
}


def _rpc(run: Run) -> int:
    """The grpcurl line for a method of this node or its NDS; without one, the last calls."""
    if not run.args.method:
        return run.ask("rpc")
    service, method = _method(run.args.method)
    socket = f"'{run.places.socket}'" if " " in str(run.places.socket) else str(run.places.socket)
    name = f"p2pchat.v1.{service}/{method}"
    if service == "Control":
        line = shell.grpcurl(socket, name, unix=True)
    else:
        line = _line(run, service, name)
    return run.output.answer(tables.said(line, method=name, line=line))


def _line(run: Run, service: str, name: str) -> str:
    """The last call of that method that this node made; without one, the bare method."""
    found: list[str] = []

    async def work() -> int:
        async with run.client() as node:
            made = await node.calls(200)
            calls = [one for one in made.calls if one.method == name]
            status = await node.status()
            nds = status.nds[0].address if status.nds else "HOST:PORT"
            if calls:
                asked = calls[-1].request_json
                found.append(shell.grpcurl(calls[-1].address, name, asked, keys=made.keys))
            else:
                address = status.listen if service == "Node" else nds
                found.append(shell.grpcurl(address, name, keys=made.keys))
        return DONE

    wait(work())
    return found[0]


def _method(wanted: str) -> tuple[str, str]:
    service, _, method = wanted.removeprefix("p2pchat.v1.").rpartition("/")
    for name, methods in SERVICES.items():
        for one in methods.split():
            if one.casefold() == method.casefold() and service in ("", name):
                return name, one
    from ..errors import nearest

    known = [f"{name}/{one}" for name, methods in SERVICES.items() for one in methods.split()]
    near = nearest(wanted, [*known, *(one.partition("/")[2] for one in known)], mark="")
    raise Usage(text=f"there is no method {wanted!r}.{near}")


def _node(run: Run) -> int:
    """The node itself, in this process, until it is told to stop.  Its last line says why not."""
    from ..control.running import run_node

    try:
        return wait(run_node(run.places, run.config, nick_later=run.args.nick_later))
    except Complaint as complaint:
        told = {"reason": complaint.reason, "text": str(complaint), "facts": complaint.facts}
        print(records.dumped(told), file=sys.stderr)
        return complaint.exit


def _doctor(run: Run) -> int:
    """Every check; without a node, what it keeps on disk, and exit 5 where that is sound."""
    if run.is_up():
        return run.ask("doctor")
    from .. import stores
    from ..words import Diagnosis, Finding

    down = Finding("node", False, str(NodeDown(profile=run.places.profile)))
    kept = stores.everything(run.places.data)
    answer = tables.diagnosis(Diagnosis((down, *kept)))
    sound = all(row.ok for row in kept)
    return run.output.answer(replace(answer, exit=NodeDown.exit if sound else answer.exit))


VERBS: dict[str, Callable[[Run], int]] = {
    "up": _up,
    "down": _down,
    "status": lambda run: run.ask("status"),
    "doctor": _doctor,
    "rpc": _rpc,
    "_node": _node,
}
