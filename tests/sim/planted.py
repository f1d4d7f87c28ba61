"""The planted bugs, as source text: where, what, and what stands there instead."""

from msgspec import Struct


class Mutant(Struct, frozen=True):
    name: str
    path: str
    old: str
    new: str
    also: tuple[tuple[str, str], ...] = ()  # further replacements in the same file
    start: int = 0  # of the seeds that are tried: what needs rare luck is found further on

    @property
    def changes(self) -> tuple[tuple[str, str], ...]:
        return (self.old, self.new), *self.also


MUTANTS = [
    Mutant(
        "no epoch check",
        "node/core/reign.py",
        "or (epoch <= s.epoch and not is_other)",
        "or (epoch == s.epoch and not is_other)",
    ),
    Mutant(
        "epoch used before it is stored",
        "node/core/reign.py",
        "        s.election.forget_back_off()\n        s.store_meta()\n",
        "        s.election.forget_back_off()\n",
    ),
    Mutant(
        "resume after restart",
        "node/core/electing.py",
        "        if s.leader == s.me:\n            s.election.claim_anew = True\n",
        "        if s.leader == s.me:\n            s.role = Role.LEADER\n",
    ),
    Mutant(
        "no pre-vote",
        "node/core/electing.py",
        "        if alive and not missed:",
        "        if alive and False:",
    ),
    Mutant(
        "ids from the roster",
        "node/core/joining.py",
        "            member = next(iter(s.ids))\n",
        "            ids = next(iter(s.ids.values()))\n"
        "            member = s.members.roster.members[-1].id + 1\n"
        "            s.ids[member] = ids\n",
    ),
    Mutant(
        "an identity is admitted twice",
        "node/core/joining.py",
        "        member = known = s.members.of_identity(request.identity)\n",
        "        member = known = 0\n",
    ),
    Mutant(
        "highest id wins",
        "node/core/answering.py",
        "        lower = s.me < caller.node and",
        "        lower = s.me > caller.node and",
    ),
    Mutant(
        "yield without votes",
        "node/core/answering.py",
        "        return Standing.YIELD if 2 * len(votes) > len(active) else Standing.LEADING\n",
        "        return Standing.YIELD\n",
    ),
    Mutant(
        "half of the votes deposes",
        "node/core/answering.py",
        "        return Standing.YIELD if 2 * len(votes) > len(active) else Standing.LEADING\n",
        "        return Standing.YIELD if 2 * len(votes) >= len(active) else Standing.LEADING\n",
    ),
    Mutant(
        "acknowledged before stored",
        "node/core/talking.py",
        "        s.talked_at = s.now\n        messages, refusal =",
        "        if request.to == s.me:\n"
        "            s.respond(call, Told(Receipt.STORED, request.messages[-1].id, s.me))\n"
        "        s.talked_at = s.now\n        messages, refusal =",
        (
            (
                "            s.respond(call, Told(Receipt.STORED, messages[-1].id, s.me, word))\n",
                "",
            ),
        ),
    ),
    Mutant(
        "a relay acknowledges for its target",
        "node/core/talking.py",
        "            if isinstance(outcome, Told) and outcome.receipt is Receipt.STORED:\n"
        "                return s.respond(call, outcome)\n",
        "            if outcome is not None:\n"
        "                return s.respond(call, Told(Receipt.STORED, messages[-1].id, to))\n",
    ),
    Mutant(
        "no relay",
        "node/core/sending.py",
        "            by_relay=not relay and not full and self._has(self.relay_for(member), ",
        "            by_relay=not relay and not full and self._has(0, ",
    ),
    Mutant(
        "what is passed on counts as stored",
        "node/core/passing.py",
        "        return 0\n",
        "        return len(messages)\n",
    ),
    Mutant(
        "who hears nothing of what is passed on waits for ever",
        "node/core/outbox.py",
        "            for member in self._queue(key, members):\n",
        "            for member in ():\n",
    ),
    Mutant(
        "who is dropped is waited for to pass on",
        "node/core/sending.py",
        "        lacking = s.outbox.without(member)\n",
        "        lacking = ()\n",
    ),
    Mutant(
        "sent before stored",
        "node/core/talking.py",
        "        s.emit(StoreMessages(messages))\n        for message in messages:\n"
        "            s.history.repeats(message)\n"
        "            entry = s.outbox.post(s.now, message, others, away, through)\n",
        "        for message in messages:\n            s.history.repeats(message)\n"
        "            entry = s.outbox.post(s.now, message, others, away, through)\n"
        "            for member in others:\n                self.send(member)\n"
        "            s.emit(StoreMessages((message,)))\n",
    ),
    Mutant(
        "messages of one turn of one instant",
        "node/core/composing.py",
        "            past = tick(said[0].wall, past)\n",
        "            past = tick(said[0].wall, s.latest_place[0])\n",
    ),
    Mutant(
        "a repeat is taken for news",
        "node/core/talking.py",
        "        if s.history.has(key):\n",
        "        if key in s.causal.pending:\n",
    ),
    Mutant(
        "a dependency ignored",
        "node/core/causal.py",
        "        for dep in message.deps:\n            if not is_there",
        "        for dep in message.deps[1:]:\n            if not is_there",
    ),
    Mutant(
        "heads forgotten",
        "node/core/causal.py",
        "        self.heads.difference_update(message.deps)\n",
        "        self.heads.clear()\n",
    ),
    Mutant(
        "clock from the wall only",
        "node/core/clock.py",
        "    if past.ms < wall < MS_MAX:\n",
        "    if wall < MS_MAX:\n",
    ),
    Mutant(
        "no anti-entropy",
        "node/core/catching_up.py",
        "        differs = view.history_hash != s.history.hash\n",
        "        differs = view.history_hash == -1\n",
    ),
    Mutant(
        "who has ever told a line is never asked for",
        "node/core/catching_up.py",
        "if told.get(source, since) <= since)",
        "if source not in told)",
    ),
    Mutant(
        "rosters are not compared",
        "node/core/group.py",
        "        if view.roster_hash == s.members.hash:\n",
        "        if view.roster_hash != -1:\n",
    ),
    Mutant(
        "refuted in the same life",
        "node/core/belonging.py",
        "        s.incarnation = max(s.incarnation, known, s.wall - 1) + 1\n",
        "        s.incarnation = max(s.incarnation, known)\n",
    ),
    Mutant(
        "dropped is expelled",
        "node/core/membership.py",
        "id for id in ids if self._records[id].belongs)\n",
        "id for id in ids if self._records[id].belongs and self._records[id].life < 3)\n",
    ),
    Mutant(
        "the last writer of left wins",
        "node/core/membership.py",
        "        left=a.left or b.left,\n",
        "        left=b.left,\n",
    ),
    Mutant(
        "registry without compare-and-set",
        "nds/record/decisions.py",
        "    if record.epoch > claim.expected or claim.only_fate:\n",
        "    if claim.only_fate:\n",
        also=(
            (
                "        return Decision(record, generation, Refused(Reason.STALE_EPOCH, record))\n"
                "    if answer.word is Word.SILENT and _believed(",
                "        pass\n    if answer.word is Word.SILENT and _believed(",
            ),
        ),
    ),
    Mutant(
        "generation not raised",
        "nds/record/decisions.py",
        "    return max(stored + 1, now_ms // 1000)\n",
        "    return max(stored, 1_750_000_000)\n",
        start=300,
    ),
    Mutant(
        "registry does not ask the old leader",
        "nds/record/decisions.py",
        "    if record.address and not unasked:\n",
        "    if not record.address and not unasked:\n",
    ),
    Mutant(
        "no wait for a lower id",
        "node/core/electing.py",
        "        if able:\n",
        "        if able == -1:\n",
        (("        elif lower:\n", "        elif able == -1:\n"),),
    ),
    Mutant(
        "a blind lower id holds the others up",
        "node/core/electing.py",
        "rounds.may_reach(len(lower)), s.timing.grace_ms)",
        "rounds.may_reach(len(lower)), s.timing.wait_ms)",
    ),
    Mutant(
        "votes of anybody count",
        "node/core/answering.py",
        "if vote in active and vote != s.me}",
        "}",
    ),
    Mutant(
        "the silent are never dropped",
        "node/core/belonging.py",
        "        self._drop(member)\n\n",
        "        pass\n\n",
    ),
    Mutant(
        "a cut is stored after what relies on it",
        "node/core/catching_up.py",
        "        s.store_meta()  # Before anything is shown that relies on it.\n",
        "",
    ),
    Mutant(
        "a restart forgets the outbox",
        "node/core/group.py",
        "            if not post.settled and post.key in by_key:\n",
        "            if not post.settled:\n                continue\n"
        "            if post.key not in by_key:\n",
    ),
    Mutant(
        "a new life with the old incarnation",
        "node/core/group.py",
        "        s.incarnation = max(s.incarnation + 1, max(lives) + 1, wall)\n",
        "        s.incarnation = max(s.incarnation, 1)\n",
    ),
    Mutant(
        "lines that wait are trimmed",
        "node/core/trimming.py",
        "waiting.union(heads, s.outbox.entries, s.outbox.unreached(s.members.belonging))",
        "heads.union(s.outbox.entries, s.outbox.unreached(s.members.belonging))",
    ),
    Mutant(
        "lines that are still to be told are trimmed",
        "node/core/trimming.py",
        "waiting.union(heads, s.outbox.entries, s.outbox.unreached(s.members.belonging))",
        "waiting.union(heads)",
    ),
    Mutant(
        "a floor counts only the last that went",
        "node/core/history.py",
        "            total = plus(gone, floor.sum if floor is not None else 0)\n",
        "            total = gone\n",
    ),
    Mutant(
        "what was trimmed is taken in again",
        "node/core/history.py",
        "        return last is not None and key <= last\n",
        "        return False\n",
    ),
    Mutant(
        "the lower floor stands",
        "node/core/marks.py",
        "        return mine is None or theirs.at > mine.at\n",
        "        return mine is None or theirs.at < mine.at\n",
    ),
    Mutant(
        "a gap is jumped before others were asked",
        "node/core/catching_up.py",
        "        if gaps.unasked(s.active_others):\n",
        "        if gaps.unasked(()):\n",
    ),
    Mutant(
        "anybody declares lines lost",
        "node/core/seeking.py",
        "        return s.role is Role.LEADER and not s.doubtful and not s.backwards\n",
        "        return not s.backwards\n",
    ),
    Mutant(
        "lost lines are never declared",
        "node/core/seeking.py",
        "            if self._may_declare():\n",
        "            if not due and self._may_declare():\n",
    ),
    Mutant(
        "a restart forgets what is lost",
        "node/core/group.py",
        "        s.causal.below.update(log.holes)\n",
        "",
    ),
    Mutant(
        "holes are not told",
        "node/core/catching_up.py",
        "            self.seeking.learn(outcome.holes, session.peer)\n",
        "",
        also=(("        self.seeking.learn(request.holes, peer)\n", ""),),
    ),
    Mutant(
        "the leader does not say what is lost",
        "node/core/seeking.py",
        "                self.learn(outcome.holes, leader)\n",
        "",
    ),
    Mutant(
        "registry learns nothing from its callers",
        "nds/record/decisions.py",
        "    if facts.is_sworn and facts.epoch > NO_EPOCH and believable(facts.epoch, now_ms):\n",
        "    if record is None and facts.epoch > NO_EPOCH:\n",
    ),
    Mutant(
        "both lives of a copied profile go on",
        "node/core/twins.py",
        "                if outcome.view.incarnation > s.incarnation:\n",
        "                if outcome.view.incarnation > s.incarnation > above:\n",
    ),
    Mutant(
        "a copy is called in its own name",
        "node/core/twins.py",
        "        nobody = Caller(s.chat, 0, 0, s.epoch, s.me)\n",
        "        nobody = s.caller(s.me)\n",
    ),
    Mutant(
        "a full group admits",
        "node/core/joining.py",
        "        if ever or len(s.members.belonging) >= most:\n",
        "        if ever or len(s.members.belonging) > most:\n",
    ),
]
