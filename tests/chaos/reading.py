"""Evidence that lies in files and answers when all is over: databases, logs, histories."""

import json
import struct
from pathlib import Path
from typing import Any

from tests.chaos.evidence import Grant, Held, View
from tests.chaos.processes import Node
from tests.logs import key_of, looked_into

DEP = struct.Struct("<QQIQ")  # source, incarnation, random, seq
BUGS = ("Traceback", " critical ", "Task exception", "never retrieved")
MESSAGES = """SELECT source, incarnation, random, seq, ms, counter, ids, texts, deps FROM message
    ORDER BY ms, counter, source, incarnation, random, seq"""


def held(database: Path) -> tuple[Held, ...]:
    """The lines of a node's database, in display order; what a message follows they all follow."""
    base = looked_into(database, key_of(database.parent.parent))
    try:
        rows = base.execute(MESSAGES).fetchall()
    finally:
        base.close()
    found = []
    for source, incarnation, random, seq, ms, counter, ids, texts, deps in rows:
        after = tuple((a, b, c, d, 0) for a, b, c, d in DEP.iter_unpack(deps))
        for at, (id, text) in enumerate(zip(ids.split(","), json.loads(texts), strict=True)):
            key = (source, incarnation, random, seq, at)
            found.append(Held(key, (ms, counter, *key), id, text, after))
    return tuple(found)


def grants(output: str) -> list[Grant]:
    """The epochs that a discovery service issued, from its log, all its lives one after another."""
    found: list[Grant] = []
    for line in output.splitlines():
        told = _object(line)
        if told.get("event") in {"created", "granted"}:
            one = Grant((told["generation"], told["epoch"]), told["leader"])
            if not found or found[-1] != one:  # a lost answer is given again, also after a restart
                found.append(one)
    return found


def _object(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


async def view(node: Node) -> View:
    """What a node says and holds now.  It must answer, and be in the chat."""
    lines = await node.lines()
    chat = await node.chat()
    assert chat is not None, f"{node.host} is not in the chat"
    return View(
        node=node.host,
        member=chat.member_id,
        leader=chat.leader_id,
        epoch=(chat.epoch.generation, chat.epoch.n),
        provisional=chat.provisional,
        fingerprint=chat.fingerprint,
        alive=chat.alive,
        known=chat.known,
        outbox=chat.outbox,
        history=tuple(line.text for line in lines),
        held=held(node.database()),
    )


def bugs(directory: Path) -> list[str]:
    """What processes say of bugs of their own."""
    found = []
    for file in sorted({*directory.rglob("*.out"), *directory.rglob("*.log")}):
        text = file.read_text("utf-8", "replace")
        for mark in BUGS:
            if mark in text:
                at = text.index(mark)
                told = text[at : at + 2_000].strip()
                found.append(f"bug: {file.relative_to(directory)}: {told}")
                break
    return found
