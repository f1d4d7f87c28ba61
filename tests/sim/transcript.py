"""Stories as text: `# what must be seen`, `$ commands`, and after each what the world answers.

`python -m tests.sim.transcript` compares all stories; `--rewrite` writes the answers down: read the
difference before you commit it.  What a story is about is said by its `$ expect` commands, which a
rewriting cannot bless.

    $ grow 4                  machine 1 makes the network, 2 ... 4 join; not shown
    $ join 5 [via 2]          start 5 without a log; via the registry if nobody is named
    $ log 8                   before `grow`: logs hold 8 messages
    $ lose Told 4>3 2         lose the next 2 of them from 4 to 3;  $ lose nothing
    $ run 500                 milliseconds; every command but `run` and `expect` takes 0
    $ say 2 hello ...         and all commands of `hands`

Answers show instants since the command, machines, what people see, and the calls of joins,
elections, claims and relays.  $ expect ... answers `yes`, or fails the story:

    leader 2 [at 1,3]         they follow 2 (`any`: the same one), certified
    provisional 2 [at 1,3]    they follow 2, not certified
    leading 1                 machine 1 believes that it leads
    epochs 1                  so many were granted since the last time this was asked
    members 1,2,3 [at 4]      those not left, kicked or dropped, by the roster there
    converged                 all who run are of one mind    seen 4 "hello" once | never
    id 5 is 5                 machine 5 has the member id 5
    admins 2,3 [at 4]         those made so, without the owner (- for nobody)
    owner 1 [at 4]            whose the network is
    removed 5 by 2 [at 4]     the roster there says so
"""

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.effects import Effect
from node.core.events import Answered, Event, Received
from node.core.types import small

from . import brief
from .checkers import Broken
from .hands import Hands
from .machine import Machine, Process
from .world import World

STORIES = Path(__file__).parent / "stories"
LOUD = (m.Join, m.Elect, m.Coordinator, m.Claim, m.Leave)
LOUD_REPLIES = (m.Welcome, m.Elected, m.Granted, m.Refusal)
QUIET = (e.Settled, e.Merged)


class Story(Hands):
    """A world, and the commands that drive it."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(World(seed))
        self.lines: list[str] = []
        self.began = 0
        self.epochs = 0
        self.losing: list[tuple[str, int, int, int]] = []
        self.world.network.snag = self._snag
        self.world.registry.start()
        self.world.run(1_000)

    def tell(self, command: str) -> list[str]:
        """Carry out a command; answers what the world said."""
        self.lines, self.began = [], self.world.now
        self.world.trace, self.world.remark = self._hear, self.lines.append
        if not self.do(command):
            raise ValueError(f"not now: {command}")
        return self.lines

    # ---- commands ----

    def _grow(self, rest: str) -> None:
        self.world.trace = None
        for number in range(1, int(rest) + 1):
            self.world.add(number)
            if number == 1:
                self.world.found(1)
            else:
                self.world.start(number, 1)
            self.world.run(100)
        self.world.run(3_000)
        self.epochs = self.world.count["epochs"]

    def _join(self, rest: str) -> None:
        number, _, via = rest.partition(" via ")
        if int(number) not in self.world.machines:
            self.world.add(int(number))
        self.world.start(int(number), int(via or 0))

    def _log(self, rest: str) -> None:
        self.world.timing = replace(self.world.timing, log_max=int(rest))

    def _lose(self, rest: str) -> None:
        if rest == "nothing":
            self.losing.clear()
            return
        name, way, times = rest.split()
        one, _, other = way.partition(">")
        self.losing.append((name, int(one), int(other), int(times)))

    def _run(self, rest: str) -> None:
        self.world.run(int(rest))

    def _snag(self, sender: Process, target: Process, message: Any, is_reply: bool) -> bool:
        for k, (name, one, other, times) in enumerate(self.losing):
            way = sender.number == one and target.number == other
            if way and times and type(message).__name__ == name:
                self.losing[k] = (name, one, other, times - 1)
                return True
        return False

    # ---- expectations ----

    def _expect(self, rest: str) -> None:
        what, *args = shlex.split(rest)
        check: Callable[..., str] = getattr(self, f"_expect_{what}")
        wrong = check(*args)
        if wrong:
            raise Broken("story", f"expect {rest}: {wrong}")
        self.lines.append("yes")

    def _groups(self, at: str = "") -> list[Machine]:
        """The machines named, or all that run."""
        named = {int(number) for number in at.split(",")} if at else set(self.world.machines)
        return [
            machine
            for number, machine in self.world.machines.items()
            if number in named and machine.group is not None and machine.me
        ]

    def _expect_leader(self, number: str, _at: str = "", at: str = "") -> str:
        if number == "any":
            group = self._groups(at)[0].group
            leading = group and self.world.oracle.machine_of(group.leader)
            return self._followed(leading.number, at, provisional=False) if leading else "none"
        return self._followed(int(number), at, provisional=False)

    def _expect_provisional(self, number: str, _at: str = "", at: str = "") -> str:
        return self._followed(int(number), at, provisional=True)

    def _followed(self, number: int, at: str, *, provisional: bool) -> str:
        member = self.world.machines[number].me
        wrong = ""
        for machine in self._groups(at):
            group = machine.group
            assert group is not None
            found = group.provisional if provisional else group.leader
            certain = provisional or not group.provisional
            if found != member or not certain or group.leads != (group.me == member):
                wrong += f" {machine.number} follows {small(group.leader)}"
                wrong += f" provisionally {small(group.provisional)}" if group.provisional else ""
        return wrong

    def _expect_leading(self, number: str) -> str:
        group = self.world.machines[int(number)].group
        return "" if group is not None and group.leads else "it does not"

    def _expect_epochs(self, n: str) -> str:
        since = self.world.count["epochs"] - self.epochs
        self.epochs += since
        return "" if since == int(n) else f"{since}"

    def _expect_members(self, numbers: str, _at: str = "", at: str = "") -> str:
        wanted = sorted(self.world.machines[int(number)].me for number in numbers.split(","))
        wrong = ""
        for machine in self._groups(at):
            assert machine.group is not None
            found = list(machine.group.active)
            if found != wanted:
                wrong += f" {machine.number} has {brief.ids(found)}"
        return wrong

    def _expect_converged(self) -> str:
        return self.world.oracle.unsettled()

    def _expect_seen(self, at: str, text: str, times: str) -> str:
        wanted = {"never": 0, "once": 1}[times]
        wrong = ""
        for machine in (self.world.machines[int(number)] for number in at.split(",")):
            shown = [said for _, said in self.world.oracle.seen_by(machine).lines]
            if shown.count(text) != wanted:
                wrong += f" {machine.number} saw it {shown.count(text)} times"
        return wrong

    def _expect_id(self, number: str, _is: str, id: str) -> str:
        me = self.world.machines[int(number)].me
        return "" if small(me) == int(id) else f"{small(me)}"

    def _expect_admins(self, numbers: str, _at: str = "", at: str = "") -> str:
        named = [] if numbers == "-" else numbers.split(",")
        wanted = sorted(self._id_of(number) for number in named)
        wrong = ""
        for machine in self._groups(at):
            assert machine.group is not None
            if sorted(machine.group.order.admins) != wanted:
                wrong += f" {machine.number} has {brief.ids(sorted(machine.group.order.admins))}"
        return wrong

    def _expect_owner(self, number: str, _at: str = "", at: str = "") -> str:
        groups = [(m.number, m.group.order.owner) for m in self._groups(at) if m.group is not None]
        wanted = self._id_of(number)
        return "".join(f" {n} has {small(owner)}" for n, owner in groups if owner != wanted)

    def _expect_removed(self, number: str, _by: str, by: str, _at: str = "", at: str = "") -> str:
        wrong = ""
        for machine in self._groups(at):
            assert machine.group is not None
            found = machine.group.removed_by(self._id_of(number))
            if found != self._id_of(by):
                wrong += f" {machine.number} says by {small(found)}"
        return wrong

    def _id_of(self, number: str) -> int:
        """The last member id of a machine, whether it runs or not."""
        identity = self.world.machines[int(number)].identity
        owner = self.world.oracle.owner
        return max(id for id, one in owner.items() if one == identity)

    # ---- answers ----

    def _hear(self, now: int, machine: Machine, event: Event, effects: list[Effect]) -> None:
        heard = brief.event(event) if loud_event(event, machine.me) else ""
        shown = [brief.effect(effect) for effect in effects if loud_effect(effect, machine.me)]
        for text in [heard, *shown]:
            if text:
                self.lines.append(f"{now - self.began:>6} {machine.number}  {_unnumbered(text)}")


def loud_event(event: Event, me: int) -> bool:
    """Whether an event is worth a line: of what people did and what is rare."""
    match event:
        case Received(_, m.Tell(to=to)):
            return to != me
        case Received(_, request):
            return isinstance(request, m.Join)
        case Answered(_, reply):
            return isinstance(reply, LOUD_REPLIES)
        case _:
            return False


def loud_effect(effect: Effect, me: int) -> bool:
    match effect:
        case e.Call(request=request, to=to):
            relayed = isinstance(request, m.Tell) and request.to != to
            sought = isinstance(request, m.Sync) and request.wanted
            return bool(relayed or sought) or isinstance(request, LOUD)
        case e.Ask(request=request):
            return isinstance(request, LOUD)
        case e.Respond(_, reply):
            found = isinstance(reply, m.Synced) and reply.found
            return bool(found) or isinstance(reply, m.Refusal)
        case (
            e.Serve()
            | e.StoreMessages()
            | e.Erase()
            | e.StoreMeta()
            | e.StorePost()
            | e.StoreRoster()
        ):
            return False
        case _:
            return not isinstance(effect, QUIET)


def _unnumbered(text: str) -> str:
    """Without the number of the call."""
    before, bracket, rest = text.partition("[")
    return before + rest.partition("] ")[2] if bracket and before in {"-> ", "<- "} else text


def play(script: list[str]) -> list[str]:
    """Play a story; answers its whole text anew.  Raises Broken where an expectation fails."""
    story = Story()
    said: list[str] = []
    for line in script:
        if line.startswith("#"):
            said.append(line)
        elif line.startswith("$"):
            command = line[1:].strip()
            if said and (not command.startswith("expect") or not said[-1].startswith("yes")):
                said.append("")
            said.append(line)
            try:
                answers = story.tell(command)
            except Broken as broken:
                raise Broken(broken.promise, f"{broken}\n" + "\n".join(said[-40:])) from None
            said += [f"{answer}" for answer in answers]
    return said


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.transcript", description=__doc__)
    parser.add_argument("stories", nargs="*", type=Path, help="files (default: all)")
    parser.add_argument("--rewrite", action="store_true", help="write the answers down")
    given = parser.parse_args()
    wrong = 0
    for path in given.stories or sorted(STORIES.glob("*.txt")):
        before = path.read_text("utf-8")
        try:
            after = "\n".join(play(before.splitlines())) + "\n"
        except Broken as broken:
            print(f"{path.name}: {broken}")
            wrong += 1
            continue
        if after != before and given.rewrite:
            path.write_text(after, "utf-8")
            print(f"{path.name}: rewritten")
        elif after != before:
            print(f"{path.name}: differs")
            wrong += 1
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
