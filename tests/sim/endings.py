"""How a life goes on once all are of one mind: single faults, which must go by the book."""

from typing import Any

from node.core.lateness import LATE_MS
from node.core.messages import Granted, Life

from .checkers import Broken
from .machine import Machine, Process
from .trouble import Trouble

ELECT_MS = 8_000
PROVISIONAL_MS = 10_000
DETOUR_MS = 5_000  # after bad weather a lane waits for 4 ack_ms, by a relay twice that
REST_MS = 2_500
DROP_MS = 9_000
GRANTS_MAX = 4  # for one election whose first grant is lost

STANDING = [
    "halves, registry on both",
    "halves, registry on one",
    "halves, registry on none",
    "halves, registry calls nobody",
    "bridge",
    "line",
    "leader alone",
    "leader and registry alone",
    "one away",
    "leader is deaf",
]


class Endings(Trouble):
    """Each begins and ends with all of one mind."""

    elected_ms = 0
    scale = 1  # of the durations, against the LAN's

    def ms(self, of_lan_ms: int) -> int:
        """A duration that is given for the LAN's preset."""
        return of_lan_ms * self.scale

    def settle(self, bound_ms: int) -> int:
        """Run until all are of one mind; answers how long that took."""
        world = self.world
        began = world.now
        if not world.run_until(bound_ms, lambda: not world.oracle.unsettled(), step=250):
            raise Broken("S8", f"no convergence in {bound_ms} ms: {world.oracle.unsettled()}")
        return world.now - began

    def rest(self, bound_ms: int) -> None:
        """As `settle`, and wait for rounds that are under way to end: their votes are old."""
        self.settle(bound_ms)
        self.world.run(self.ms(REST_MS))
        self.settle(bound_ms)

    def leader(self) -> Machine:
        return next(m for m in self.members() if m.group is not None and m.group.leads)

    def know_registry(self) -> None:
        """Wait until nobody takes the registry for silent: who does leaves elections to others.  So
        does who was frozen a moment ago, and has patience still.
        """
        groups = [m.group for m in self.members() if m.group is not None]

        def well() -> bool:
            late = (g._s.lateness.now(g._s.now) for g in groups)
            return all(g.nds_up for g in groups) and max(late, default=0) <= LATE_MS

        self.world.run_until(2 * self.world.timing.record_ms, well, step=500)

    def follow(self, machines: list[Machine], lowest: int, bound_ms: int) -> int:
        """Run until these follow `lowest`, certified; answers how long that took."""
        world = self.world
        began = world.now

        def done() -> bool:
            groups = [m.group for m in machines if m.group is not None]
            return all(g.leader == lowest and not g.provisional for g in groups)

        if not world.run_until(bound_ms, done, step=5):
            raise Broken("election", f"{lowest} does not lead: {world.oracle.unsettled()}")
        return world.now - began

    # ---- single faults ----

    def divide(self) -> None:
        """A split that stands: after a minute at most one election in another."""
        world, rng = self.world, self.rng
        if len(self.members()) < 3:
            return
        split = rng.choice(STANDING)
        world.say(f"-- a standing split: {split}")
        world.count[f"standing: {split}"] += 1
        self.stand(split)
        world.run(self.ms(60_000))
        epochs = world.count["epochs"]
        for _ in range(6):
            world.run(self.ms(10_000))
            self.talk()
        took = world.count["epochs"] - epochs
        world.count["costs: minutes of a standing split"] += self.scale
        world.count["costs: elections in them"] += took
        if took > 1:
            raise Broken("cost", f"{took} elections in a minute of a standing split ({split})")
        world.count["fault: heal"] += 1
        world.network.heal()
        self.rest(self.ms(20_000))

    def stand(self, split: str) -> None:
        """Cut the network in a way that is meant to last."""
        network = self.world.network
        numbers = [m.number for m in self.members()]
        leader = next(m.number for m in self.members() if m.group is not None and m.group.leads)
        others = [number for number in numbers if number != leader]
        half = len(numbers) // 2
        match split:
            case "halves, registry on both":
                network.part(numbers[:half], numbers[half:])
            case "halves, registry on one":
                network.part([0, *numbers[:half]], numbers[half:])
            case "halves, registry on none":
                network.part([0], numbers[:half], numbers[half:])
            case "halves, registry calls nobody":
                network.part(numbers[:half], numbers[half:])
                network.blocked |= {(0, number) for number in numbers}
            case "bridge":
                network.part(numbers[1 : half + 1], numbers[half + 1 :])
            case "line":
                for k, number in enumerate(numbers):
                    network.part([number], numbers[k + 2 :])
            case "leader alone":
                network.part([leader], others)
            case "leader and registry alone":
                network.part([leader, 0], others)
            case "one away":
                network.part([others[0]], [n for n in numbers if n != others[0]])
            case "leader is deaf":
                network.cut |= {(number, leader) for number in others}

    def detour(self) -> None:
        """Cut one link: a line goes round by a relay, and nobody stands for election."""
        world = self.world
        staying = self.members()
        if len(staying) < 3:
            return
        one, other = self.rng.sample(staying, 2)
        world.say(f"-- the link between {one.number} and {other.number} is cut")
        epochs, claims = world.count["epochs"], world.count["claims"]
        world.network.part([one.number], [other.number])
        text = "the long way round"
        world.tell(one.number, text)
        seen = world.oracle.seen_by(other).lines
        if not world.run_until(self.ms(DETOUR_MS), lambda: (one.me, text) in seen):
            raise Broken("relay", f"{one.number} does not get round to {other.number}")
        world.run(self.ms(2_500))
        world.network.heal()
        self.rest(self.ms(10_000))
        if (world.count["epochs"], world.count["claims"]) != (epochs, claims):
            raise Broken("cost", "one cut link makes a member claim")

    def outage(self) -> None:
        """The registry is away when the leader dies: the lowest leads provisionally, talk goes on,
        and when the registry is back one election certifies it.
        """
        world, rng = self.world, self.rng
        leader = self.leader()
        survivors = [m for m in self.members() if m is not leader]
        if len(survivors) < 3:
            return
        world.say("-- the registry is away, and the leader dies")
        world.count["ending: outage"] += 1
        epochs = world.count["epochs"]
        world.registry.stop()
        world.run(rng.choice([0, 1_000, 15_000]))
        leader.wants = False
        world.kill(leader.number)
        self._split_and_heal(survivors)
        lowest = min(m.me for m in survivors)
        groups = [m.group for m in survivors if m.group is not None]
        followed = world.run_until(
            self.ms(PROVISIONAL_MS), lambda: all(g.provisional == lowest for g in groups), step=20
        )
        if not followed:
            shown = {m.number: m.group.provisional for m in survivors if m.group is not None}
            raise Broken("election", f"{lowest} does not lead provisionally: {shown}")
        speaker = rng.choice(survivors)
        text = "who needs a registry"
        world.tell(speaker.number, text)
        world.run(self.ms(1_500))
        for machine in survivors:
            if (speaker.me, text) not in world.oracle.seen_by(machine).lines:
                raise Broken("relay", f"{machine.number} is not told, with the registry away")
        world.registry.start()
        self.settle(self.ms(20_000))
        world.run(self.ms(5_000))
        self.settle(self.ms(2_000))
        if world.count["epochs"] != epochs + 1:
            raise Broken("cost", f"{world.count['epochs'] - epochs} elections after an outage")
        if world.oracle.leader_of[world.oracle.last_epoch] != lowest:
            raise Broken("election", f"{lowest} led provisionally, another is certified")

    def _split_and_heal(self, survivors: list[Machine]) -> None:
        """At times: let two provisional leaders come up, who then meet."""
        if self.rng.random() < 0.5:
            return
        self.world.count["ending: two provisional leaders"] += 1
        half = len(survivors) // 2
        numbers = [m.number for m in survivors]
        self.world.network.part(numbers[:half], numbers[half:])
        self.world.run(self.ms(8_000))
        self.world.network.heal()

    def absent(self) -> None:
        """A member is frozen: it is dropped, and when it is thawed it refutes that."""
        world, rng = self.world, self.rng
        others = [m for m in self.members() if m.group is not None and not m.group.leads]
        if len(others) < 2:
            return
        machine = rng.choice(others)
        world.say(f"-- {machine.number} is frozen")
        world.count["ending: absent"] += 1
        epochs = world.count["epochs"]
        world.freeze(machine)
        groups = [m.group for m in self.members() if m is not machine and m.group is not None]

        def dropped() -> bool:
            records = [group.member(machine.me) for group in groups]
            return all(r is not None and r.life is Life.DROPPED for r in records)

        if not world.run_until(self.ms(DROP_MS), dropped, step=50):
            raise Broken("drop", f"{machine.number} is frozen, and not dropped")
        world.tell(rng.choice([m for m in others if m is not machine]).number)
        world.run(rng.choice([0, 5_000]))
        world.thaw(machine)
        self.rest(self.ms(10_000))
        if world.count["epochs"] != epochs:
            raise Broken("cost", "a member that was dropped and came back makes an election")

    def blind(self) -> None:
        """The lowest other does not reach the registry: it leaves the election to the next."""
        world = self.world
        leader = self.leader()
        others = sorted((m for m in self.members() if m is not leader), key=lambda m: m.me)
        if len(others) < 4:
            return
        world.say(f"-- {others[0].number} is cut off from the registry, and the leader dies")
        world.count["ending: blind"] += 1
        world.network.part([0], [others[0].number])
        groups = [m.group for m in others if m.group is not None]

        def known() -> bool:
            return [bool(g.nds_up) for g in groups] == [False] + [True] * (len(groups) - 1)

        world.run_until(2 * self.world.timing.record_ms, known, step=500)
        self.rest(self.ms(2_000))
        epochs = world.count["epochs"]
        leader.wants = False
        began = world.now
        world.kill(leader.number)
        self.follow(others, others[1].me, self.ms(ELECT_MS))
        if world.network.faults.hints and world.now - began >= world.timing.wait_ms:
            raise Broken("cost", "a lower id that cannot claim is waited for")
        world.network.heal()
        self.rest(self.ms(15_000))
        if world.count["epochs"] != epochs + 1:
            raise Broken("cost", f"{world.count['epochs'] - epochs} elections for one death")

    def stall(self) -> None:
        """The leader is frozen: the lowest other leads; thawed, the old one follows."""
        world, rng = self.world, self.rng
        if len(self.members()) < 3:
            return
        self.know_registry()
        world.say("-- the leader is frozen")
        world.count["ending: stall"] += 1
        leader = self.leader()
        others = [m for m in self.members() if m is not leader]
        epochs = world.count["epochs"]
        world.freeze(leader)
        self.follow(others, min(m.me for m in others), self.ms(ELECT_MS))
        world.run(rng.choice([0, 500, 10_000]))
        world.thaw(leader)
        self.settle(self.ms(20_000))
        world.run(self.ms(3_000))
        self.settle(self.ms(2_000))
        if world.count["epochs"] != epochs + 1:
            raise Broken("cost", f"{world.count['epochs'] - epochs} elections for one stall")

    # ---- the last act ----

    def elect(self) -> None:
        """Leader and one more are killed: the lowest survivor leads by exactly one election."""
        world, rng = self.world, self.rng
        staying = self.members()
        if len(staying) < 3:
            return
        self.know_registry()
        world.say("-- leader and one more die")
        leader = self.leader()
        other = rng.choice([m for m in staying if m is not leader])
        last = world.oracle.last_epoch
        grant_lost = rng.random() < 0.2
        if grant_lost:
            self._lose_grant()
        for machine in (leader, other):
            machine.wants = False
            world.kill(machine.number)
            world.run(rng.choice([0, 0, 5, 20]))
        survivors = [m for m in staying if m not in {leader, other}]
        lowest = min(m.me for m in survivors)
        if not grant_lost:
            self.elected_ms = self.follow(survivors, lowest, self.ms(ELECT_MS))
            world.count["costs: deaths of a leader and one more"] += 1
            world.count["costs: elections for them"] += world.oracle.last_epoch.n - last.n
        for machine in survivors:
            world.tell(machine.number)
        self.settle(self.ms(15_000))
        world.network.snag = None
        won = [who for epoch, who in world.oracle.leader_of.items() if epoch > last]
        if grant_lost and len(won) <= GRANTS_MAX:
            return  # Whoever waited for the winner may have claimed too.
        if won not in ([lowest], [other.me, lowest]):  # The other's claim may have been under way.
            raise Broken("election", f"{won} won one after another; {lowest} is the lowest")

    def _lose_grant(self) -> None:
        """Lose the registry's next grant, which must not leave the group without a leader."""
        world = self.world
        world.count["ending: grant lost"] += 1

        def snag(sender: Process, target: Process, message: Any, is_reply: bool) -> bool:
            if type(message) is not Granted:
                return False
            world.network.snag = None
            return True

        world.network.snag = snag
