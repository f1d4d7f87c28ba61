"""The promises, compared with what really happened.

The oracle sees every effect as it is performed and every disk as it is written, and knows what no
node knows: which epochs were granted, who was given which id, and what an author had been shown
when it wrote.  Sets of messages are bit masks.
"""

from typing import TYPE_CHECKING, Any

from nds import record as nds
from node.core import effects as e
from node.core.conversation import ChatMessage
from node.core.group import Group
from node.core.messages import Join, Life, Member, Receipt, Roster, Synced, Tell, Told
from node.core.types import NO_EPOCH, Epoch, Floor, Key, MemberId, Stream, small

from .bounds import Bounds, Broken
from .brief import epoch as epoch_name
from .brief import key as named
from .machine import Disk, Machine, Process, deliverable

if TYPE_CHECKING:
    from .world import World


NOTHING = Floor(0, Stream(0, 0), 0, 0)


def _could_trim(machine: Machine) -> bool:
    """Is there anything that waits for no line to name it?  The next one that is said does."""
    assert machine.group is not None, machine.number
    s = machine.group._s
    heads = {key for key in s.causal.heads if not s.history.marks.covers(key)}
    return any(True for _ in s.history.oldest(heads))


class Seen:
    """What the people at one machine have been shown, over all lives of its disk."""

    __slots__ = ("ever", "ids", "lines", "shown", "top")

    def __init__(self) -> None:
        self.ever = 0  # messages that were ever on a disk of this machine
        self.forget()

    def forget(self) -> None:
        self.shown = 0
        self.ids: set[tuple[MemberId, str]] = set()
        self.top: Any = ()  # the highest place shown
        self.lines: list[tuple[MemberId, str]] = []

    def show(self, message: ChatMessage, bit: int) -> None:
        self.shown |= bit
        self.ids.update((message.key.source, id) for id in message.ids)
        self.top = max(self.top, message.place)


class Oracle(Bounds):
    """The truth of one world."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self.world = world
        self.last_epoch = NO_EPOCH
        self.leader_of: dict[Epoch, MemberId] = {}  # as the registry granted it
        self.led_by: dict[Epoch, tuple[int, int]] = {}  # machine and process that acted on it
        self.home: dict[bytes, Machine] = {}  # of an identity
        self.homes: dict[bytes, list[Machine]] = {}  # all that ever had it
        self.owner: dict[MemberId, bytes] = {}
        self.block_epoch: dict[MemberId, Epoch] = {}
        self.messages: list[ChatMessage] = []  # the first of each (source, ids)
        self.contents: dict[Key, ChatMessage] = {}
        self.index: dict[Key, int] = {}  # into `messages`; one (source, ids) may have two keys
        self.first: dict[tuple[MemberId, tuple[str, ...]], int] = {}
        self.said = {}
        self.keys: list[list[Key]] = []  # of each message
        self.context: dict[Key, int] = {}  # what its author had been shown by then, and names
        self.past: list[int] = []  # what precedes it by its own word, and so on
        self.seen: dict[int, Seen] = {}

    def seen_by(self, machine: Machine) -> Seen:
        seen = self.seen.get(machine.number)
        if seen is None:
            seen = self.seen[machine.number] = Seen()
        return seen

    def machine_of(self, member: MemberId) -> Machine | None:
        """Where the member with this id lived, whatever became of it since."""
        identity = self.owner.get(member)
        return self.home.get(identity) if identity is not None else None

    def settles(self, machine: Machine) -> None:
        """A machine has an identity of its own."""
        self.home[machine.identity] = machine
        homes = self.homes.setdefault(machine.identity, [])
        if machine not in homes:
            homes.append(machine)

    def cloned(self, one: Machine, copy: Machine) -> None:
        """Two machines have one disk copy, and one identity."""
        self.settles(copy)
        self.seen_by(copy).ever = self.seen_by(one).ever

    # ---- S1, S2: leadership ----

    def granted(self, epoch: Epoch, leader: MemberId, address: str) -> None:
        if epoch <= self.last_epoch:
            raise Broken("S1", f"epoch {epoch} granted after {self.last_epoch}")
        self.last_epoch = epoch
        self.leader_of[epoch] = leader
        self.world.count["epochs"] += 1
        if leader not in self.owner:
            self.owner[leader] = self.world.network.at_address[address].identity

    def compared(self, expected: Epoch, granted: Epoch) -> None:
        """A claim has won: the epoch that it expected must have been the last one."""
        if granted.n != expected.n + 1:
            raise Broken("S1", f"a claim after {expected} is granted {granted}")

    def block(self, epoch: nds.Epoch, ids: nds.IdBlock) -> None:
        for id in range(ids.first, ids.first + ids.count):
            if id in self.block_epoch:
                raise Broken("S3", f"id {id} is in two blocks")
            self.block_epoch[id] = Epoch(*epoch)
            self.world.count["costs: ids granted"] += 1

    def stands(self, machine: Machine, group: Group) -> None:
        """The epoch or leader that a node goes by has changed."""
        epoch, leader = group.epoch, group.leader
        if epoch < machine.epoch:
            raise Broken("S2", f"{machine.number} went back from {machine.epoch} to {epoch}")
        if epoch != NO_EPOCH and epoch not in self.leader_of:
            raise Broken("S1", f"{machine.number} goes by {epoch}, which was never granted")
        if leader and leader != self.leader_of.get(epoch):
            truth = self.leader_of.get(epoch)
            raise Broken("S1", f"{machine.number} follows {leader} at {epoch}, granted to {truth}")
        machine.epoch, machine.leader = epoch, leader

    def leads(self, machine: Machine, group: Group) -> None:
        machine.leading = group.leads
        if not group.leads or group.provisional == group.me:
            return
        if group.leader != group.me:
            raise Broken("S1", f"{machine.number} leads though {group.leader} is its leader")
        life = machine.number, machine.life
        if self.led_by.setdefault(group.epoch, life) != life:
            raise Broken("S1", f"{life} leads {group.epoch}, and so did {self.led_by[group.epoch]}")

    # ---- what goes out ----

    def calling(self, machine: Machine, call: e.Call) -> None:
        request = call.request
        meta = machine.disk.meta
        caller = request.caller
        if meta is not None:
            if caller.epoch > meta.epoch or caller.incarnation > meta.incarnation:
                raise Broken("S2", f"{machine.number} speaks of what it has not stored: {caller}")
        elif caller.epoch != NO_EPOCH:
            raise Broken("S2", f"{machine.number} speaks of what it has not stored: {caller}")
        group = machine.group
        if type(request) is Join and group is not None and group.leads and not group.provisional:
            raise Broken("S2", f"{machine.number} leads, and asks to be let in")
        if type(request) is Tell:
            disk = machine.disk
            for told in (message.key for message in request.messages):
                if told not in disk.messages and not disk.below(told):
                    raise Broken("S4", f"{machine.number} sends {named(told)}, not stored")

    def responding(self, machine: Machine, request: Any, reply: Any) -> None:
        if type(reply) is Told:
            if reply.receipt is Receipt.STORED:
                for message in request.messages:
                    self._check_ack(message.key, reply.node)
                    if message.id == reply.id:
                        break
            return
        if type(reply) is Synced:
            for hole in reply.holes:
                self.storing_hole(machine, hole)
        view = getattr(reply, "view", None)
        if view is None:
            return
        meta = machine.disk.meta
        if view.epoch > (NO_EPOCH if meta is None else meta.epoch):
            raise Broken("S2", f"{machine.number} answers with {view.epoch}, which is not stored")

    def answered_nothing(self, server: Process, call: int, reply: Any) -> None:
        raise Broken("core", f"{server.number} answers call {call} twice, or nobody's: {reply}")

    def serving(self, machine: Machine, keys: tuple[Key, ...]) -> None:
        for key in keys:
            if key not in machine.disk.messages:
                raise Broken("S4", f"{machine.number} offers {named(key)}, which it has not stored")

    # ---- what is stored ----

    def storing(self, machine: Machine, store: e.Store) -> None:
        match store:
            case e.StoreMessages(messages):
                for message in messages:
                    self._storing_message(machine, message)
                self.storing_messages(machine, [message.key for message in messages])
            case e.StoreRoster(roster):
                self._storing_roster(machine, roster)
            case e.StoreMeta(meta):
                self._storing_meta(machine, meta)
                machine.stored = True
            case e.StoreMarks(floors, holes):
                for floor in floors:
                    self.storing_floor(machine, floor)
                for hole in holes:
                    self.storing_hole(machine, hole)
            case e.Trim(last):
                self.trimming(machine, last)
            case _:
                pass

    def _storing_message(self, machine: Machine, message: ChatMessage) -> None:
        key = message.key
        known = self.index.get(key)
        seen = self.seen_by(machine)
        if known is None:
            if self.owner.get(key.source) != machine.identity:
                raise Broken(
                    "S4", f"{machine.number} stores {named(key)}, which its author has not"
                )
            if key.seq > 1 and key.before not in self.index:
                raise Broken("S4", f"{named(key)} follows nothing")
            if message.place <= seen.top and message.place <= self.top(machine):
                raise Broken("S7", f"{named(key)} at {message.place} is not after {seen.top}")
            known = self._written(machine, message, seen)
        elif self.contents[key] is not message and not _same(self.contents[key], message):
            raise Broken("S7", f"{machine.number} stores another {named(key)}: {message}")
        seen.ever |= 1 << known

    def _written(self, machine: Machine, message: ChatMessage, seen: Seen) -> int:
        """A message comes into the world; one whose ids are known repeats the first."""
        past = self._past_of(machine, message, seen.shown)
        for id in message.ids:
            self.said.setdefault((message.key.source, id), []).append(message.key)
        lines = message.key.source, message.ids
        known = self.first.get(lines)
        if known is None:
            known = self.first[lines] = len(self.messages)
            self.messages.append(message)
            self.keys.append([])
            self.past.append(past)
        else:
            self.past[known] |= past & ~(1 << known)
            self.world.count["lines said twice"] += 1
        self.index[message.key] = known
        self.context[message.key] = seen.shown & past  # Not what was trimmed there by then.
        self.keys[known].append(message.key)
        self.contents[message.key] = message
        return known

    def _past_of(self, machine: Machine, message: ChatMessage, shown: int) -> int:
        """All that a message says it follows; its author must not keep back what it was shown."""
        before = message.key.before
        past = 0
        for key in message.deps if before is None else (*message.deps, before):
            past |= self.past[self.index[key]] | 1 << self.index[key]
        silent = shown & ~past
        if silent and (silent := silent & ~self.gone(machine)):
            lacks = self.messages[silent.bit_length() - 1].key
            raise Broken("S6", f"{named(message.key)} does not say that it follows {named(lacks)}")
        return past

    def _storing_roster(self, machine: Machine, roster: Roster) -> None:
        owner = self.owner
        known = {member.id: member for member in machine.disk.roster.members}
        for member in roster.members:
            before = known.get(member.id)
            if before is member:
                continue
            if before is not None and _went_back(before, member):
                raise Broken("S8", f"{machine.number} forgets: {member} after {before}")
            identity = owner.get(member.id)
            if identity is None:
                self._admitted(machine, member.id, member.identity)
            elif identity != member.identity:
                raise Broken("S3", f"id {member.id} belongs to two identities")

    def _admitted(self, machine: Machine, id: MemberId, identity: bytes) -> None:
        """An id is seen for the first time: its admission."""
        meta = machine.disk.meta
        epoch = self.block_epoch.get(id)
        if epoch is None:
            raise Broken("S3", f"{machine.number} gives out {id}, which is in no block")
        if not any(first <= id < first + n for _, first, n in machine.blocks):
            raise Broken("S3", f"{machine.number} gives out {id}, which is in no block of its own")
        # An identity that two sides admitted is one member, by its highest id.
        latest = {member.identity: member for member in machine.disk.roster.members}  # By id.
        belonging = [member for member in latest.values() if member.belongs]
        if len(belonging) >= self.world.timing.members_max:
            raise Broken("S3", f"{machine.number} gives out {id}, and is full: {len(belonging)}")
        if meta is None or meta.epoch != epoch:
            raise Broken("S2", f"{machine.number} gives out {id} of {epoch}, knowing {meta}")
        for known in machine.disk.roster.members:
            if known.identity == identity and known.belongs:
                raise Broken("S3", f"{machine.number} gives out {id} to {known.id}, who is in")
        self.world.count["identities admitted again"] += identity in self.owner.values()
        self.owner[id] = identity
        self.world.count["costs: ids given to members"] += 1

    def _storing_meta(self, machine: Machine, meta: e.Meta) -> None:
        old = machine.disk.meta
        if old is None:
            return
        if meta.epoch < old.epoch:
            raise Broken("S2", f"{machine.number} stores {meta.epoch} after {old.epoch}")
        if meta.incarnation < old.incarnation + (not machine.stored):
            raise Broken("S2", f"{machine.number} stores incarnation {meta} after {old}")

    # ---- what is shown ----

    def deliver(self, machine: Machine, notice: e.Deliver) -> None:
        message = notice.message
        number, key = machine.number, message.key
        seen = self.seen_by(machine)
        self.world.count[f"shown {notice.way.value}"] += 1
        if key not in machine.disk.messages:
            raise Broken("S4", f"{number} shows {named(key)} before it stores it")
        known = self.index[key]
        for line in notice.lines:
            said = key.source, line.id
            if said in seen.ids and not self.forgotten(machine, said, key):
                raise Broken("S5", f"{number} shows {named(key)} again: {line.text}")
        hidden = notice.hidden if message.is_said else ()
        if any(len(self.said[key.source, message.ids[at]]) < 2 for at in hidden):
            raise Broken("S5", f"{number} hides a line of {named(key)} that was said but once")
        missing = self._not_seen(self.context[key] & ~seen.shown, seen)
        if missing and not self._excused(machine, missing):
            lacks = self.messages[missing.bit_length() - 1]
            raise Broken(
                "S6",
                f"{number} shows {named(key)} {message.texts} before {named(lacks.key)}",
            )
        if notice.late != (message.place < seen.top if seen.top else False):
            raise Broken(
                "S7", f"{number} shows {named(key)} with late={notice.late}, top {seen.top}"
            )
        seen.show(message, 1 << known)
        self.came.setdefault(number, {}).setdefault(key, self.world.now)
        seen.lines += [(key.source, line.text) for line in notice.lines]

    def _not_seen(self, missing: int, seen: Seen) -> int:
        """Those of these messages with a line that was not shown, with another message either."""
        for known, message in enumerate(self.messages if missing else ()):
            lines = {(message.key.source, id) for id in message.ids}
            if missing >> known & 1 and lines <= seen.ids:
                missing ^= 1 << known
        return missing

    def _excused(self, machine: Machine, missing: int) -> bool:
        """A newcomer reads backwards: what comes before its oldest page counts as shown.

        So does what is lost, and what others trimmed before it came here.
        """
        disk = machine.disk
        assumed = 0
        for known, keys in enumerate(self.keys):
            if any(disk.below(key) or key in disk.holes for key in keys):
                assumed |= self.past[known] | 1 << known
        for key in disk.meta.below if disk.meta is not None else ():
            assumed |= self.past[self.index[key]] | 1 << self.index[key]
        self.world.count["shown above a cut"] += 1
        return not missing & ~assumed

    def acknowledged(self, machine: Machine, notice: e.Acknowledged) -> None:
        self.world.count[f"acked {notice.way.value}"] += 1
        self._check_ack(notice.key, notice.by)

    def _check_ack(self, key: Key, by: MemberId) -> None:
        holders = self.homes.get(self.owner.get(by, b""), [])
        known = self.index.get(key)
        ever = 0
        for holder in holders:
            ever |= self.seen_by(holder).ever
        if known is None or not ever >> known & 1:
            if any(holder.disk.below(key) for holder in holders):
                self.world.count["acked below a floor"] += 1
                return
            raise Broken(
                "S4", f"{named(key)} is acknowledged for {small(by)}, which has not stored it"
            )

    # ---- lives ----

    def joined(self, machine: Machine, id: MemberId) -> None:
        if self.owner.get(id) != machine.identity:
            raise Broken("S3", f"{machine.number} takes {id}, which is not its own")

    def restarted(self, machine: Machine) -> None:
        """After a restart all counts as shown that the log can show."""
        seen = self.seen_by(machine)
        shown = deliverable(machine.disk)
        self.came[machine.number] = dict.fromkeys(shown, self.world.now)  # Askable from now on.
        again = set()
        for key in shown:
            message = machine.disk.messages[key]
            lines = {(key.source, id) for id in message.ids}
            if not lines <= again:  # A repetition stands in the log, too, and is not shown.
                again |= lines
                seen.show(message, 1 << self.index[key])
        if machine.disk.floors:
            seen.top = self.top(machine)

    def wiped(self, machine: Machine) -> None:
        self.seen_by(machine).forget()

    def stopped_by_itself(self, machine: Machine, notice: e.Stopped) -> None:
        """Only one of two that live on copies of one disk stops by itself, the earlier life."""
        others = [other for other in self.homes[machine.identity] if other is not machine]
        if notice.reason == "PROFILE_IN_USE" and others and machine.disk.meta is not None:
            self.world.count["twins that stopped"] += 1
            self.twin_at[machine.disk.meta.member] = self.world.now
            return  # The other one may have lost its disk since it answered.
        raise Broken("core", f"{machine.number} stopped by itself: {notice.reason}")

    # ---- after the faults ----

    def unsettled(self) -> str:
        """What still keeps those who stay from being of one mind; empty when nothing does."""
        staying = [m for m in self.world.machines.values() if m.group is not None and m.wants]
        if not staying:
            return "nobody is there"
        for machine in staying:
            if not machine.me or machine.frozen:
                return f"{machine.number} is no member"
        if len({machine.me for machine in staying}) < len(staying):
            return f"two lives under one id: {[(m.number, small(m.me)) for m in staying]}"
        return (
            self._unsettled_leader(staying)
            or self._unsettled_roster(staying)
            or self._unsettled_history(staying)
        )

    def _unsettled_leader(self, staying: list[Machine]) -> str:
        groups = {m.number: m.group for m in staying if m.group is not None}
        stands = {(g.epoch, g.leader, g.provisional) for g in groups.values()}
        if len(stands) != 1:
            shown = {
                n: (epoch_name(g.epoch), small(g.leader), small(g.provisional))
                for n, g in groups.items()
            }
            return f"no agreement on a leader: {shown}"
        epoch, leader, provisional = stands.pop()
        if provisional:
            return f"{provisional} leads provisionally"
        leading = [g.me for g in groups.values() if g.leads]
        if leading != [leader]:
            return f"{leader} should lead, {leading} do"
        record = next(iter(self.world.registry.kept.values()), None)
        if record is None or record.epoch != epoch or record.leader != leader:
            return f"the registry has {record}"
        return ""

    def _unsettled_roster(self, staying: list[Machine]) -> str:
        rosters = [m.group.roster for m in staying if m.group is not None]
        if any(roster != rosters[0] for roster in rosters):
            return f"rosters differ: {difference(rosters)}"
        life = {m.id: m.life for m in rosters[0].members if m.belongs}
        for machine in staying:
            if life.get(machine.me) is not Life.ALIVE:
                return f"{machine.number} ({machine.me}) is {life.get(machine.me)} in the roster"
        ids = {machine.me for machine in staying}
        said = {m.id: m.affirmation != b"" and m.belongs for m in rosters[0].members}
        for member in staying[0].group.belonging if staying[0].group is not None else ():
            if member not in ids and life.get(member) is not Life.DROPPED:
                return f"{small(member)} is not there, yet {life.get(member)} in the roster"
            own = [id for id in said if self.owner[id] == self.owner[member]]
            if member != max(own, key=lambda id: (said[id], id)):
                return f"{small(member)} belongs, and is not its identity's latest id"
        for machine in staying:
            group = machine.group
            if group is not None and group.outbox_size:
                return f"{machine.number} has {group.outbox_size} lines in its outbox"
            if any(not post.settled for post in machine.disk.posts.values()):
                return f"{machine.number} has open posts in its log"
        return ""

    def _unsettled_history(self, staying: list[Machine]) -> str:
        union = Disk()
        for machine in staying:
            union.messages.update(machine.disk.messages)
            union.holes |= machine.disk.holes
            for floor in machine.disk.floors.values():
                if floor.at > union.floors.get(floor.source, NOTHING).at:
                    union.floors[floor.source] = floor
        above = {key for key in union.messages if not union.below(key)}
        for machine in staying:
            if lacks := above - machine.disk.messages.keys():
                shown = [named(key) for key in sorted(lacks)[:2]]
                return f"{machine.number} lacks {len(lacks)} messages: {shown}"
            if machine.disk.lines > self.world.timing.log_max + 20 and _could_trim(machine):
                return f"{machine.number} has {len(machine.disk.messages)} messages"
        hashes = {m.number: m.group.history_hash for m in staying if m.group is not None}
        if len(set(hashes.values())) != 1:
            return f"history hashes differ: {hashes}"
        expected = mask = 0
        for key in above:
            mask |= 1 << self.index[key]
        cuts = [set(m.disk.meta.below) for m in staying if m.disk.meta is not None]
        for key in deliverable(union, set[Key]().union(*cuts) - union.messages.keys()):
            expected |= 1 << self.index[key]  # What a newcomer's cut lies above may be gone.
        expected &= mask
        for machine in staying:
            seen = self.seen_by(machine)
            shown = seen.shown & mask
            lacks = self._not_seen(expected & ~shown, seen)  # Said again, it has two keys.
            if wrong := (shown & ~expected) | lacks:
                keys = [m.key for k, m in enumerate(self.messages) if wrong >> k & 1]
                what = "was shown" if shown & wrong else "was not shown"
                return f"{machine.number} {what} {[named(key) for key in keys[:2]]}"
        return ""


def _went_back(before: Member, after: Member) -> bool:
    """Whether a record lost what it said before."""
    life = (before.incarnation, before.life) > (after.incarnation, after.life)
    return life or before.left > after.left or before.nick.rank > after.nick.rank


def difference(rosters: list[Roster]) -> str:
    """The first records in which rosters differ."""
    for other in rosters[1:]:
        mine, others = set(rosters[0].members), set(other.members)
        if mine != others:
            return f"{sorted(mine - others, key=id_of)[:1]} {sorted(others - mine, key=id_of)[:1]}"
    return "topics " + " / ".join(sorted({str(roster.topic) for roster in rosters}))


def id_of(member: Any) -> MemberId:
    return member.id


def _same(one: ChatMessage, other: ChatMessage) -> bool:
    """But for what was erased of either."""
    return (one.key, one.digest, one.signature) == (other.key, other.digest, other.signature)
