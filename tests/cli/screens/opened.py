"""Scenes of what is opened over the transcript: pages, menus, questions, searches."""

from msgspec.structs import replace

from node.words import (
    CallMade,
    Calls,
    Compared,
    Comparison,
    Election,
    Elections,
    ElectionStep,
    Epoch,
    Peer,
    Peers,
    Queue,
    QueueRow,
    TraceRow,
    Tracing,
)
from tests.cli.app_world import World
from tests.cli.screens.stage import WIDTHS, cast, elsewhere, long_talk, scene, told

STEPS = (
    (0, "bob (id 2) asked alice (id 1)"),
    (3, "bob (id 2) asked carol (id 4)"),
    (5, "carol (id 4) answered: yes, it does not hear the leader"),
    (405, "alice (id 1) did not answer: nobody is there"),
    (410, "bob (id 2) claims the epoch after 11 at the NDS"),
    (428, "the NDS granted bob (id 2) epoch 12"),
)


@scene(WIDTHS)
def _help(world: World) -> None:
    """F1: help by topic."""
    told(world)
    world.press("F1")


@scene("84x24")
def _help_topic(world: World) -> None:
    """/help notify: what a command does, with an example."""
    told(world)
    world.enter("/help notify")


@scene("84x24")
def _help_scrolled(world: World) -> None:
    """PgDn in a page that is longer than the screen."""
    told(world)
    world.press("F1", "PgDn")


@scene("84x24 110x60 60x24")
def _keys(world: World) -> None:
    """/keys: every key as it is bound."""
    told(world)
    world.enter("/keys")


@scene("110x24 60x24 84x24")
def _election(world: World) -> None:
    """F2: elections, live and past, with who asked whom, and times."""
    told(world)
    began = world.now() - 20_000
    steps = tuple(ElectionStep(began + ms, text) for ms, text in STEPS)
    earlier = ElectionStep(began - 86_400_000, "you (id 7) asked alice (id 1)")
    answer = ElectionStep(began - 86_399_996, "alice (id 1) answered: I lead, epoch 11")
    world.node.answers["elections"] = Elections(
        (
            Election(began - 86_400_000, 4, "", Epoch(1, 11), (earlier, answer)),
            Election(began, 900, "bob", Epoch(1, 12), steps),
        )
    )
    world.press("F2")


@scene("110x24 60x24 84x24")
def _trace(world: World) -> None:
    """F3: who has the last own message after how many ms, who lacks it and why."""
    dev = told(world)
    world.node.acknowledges = False
    world.enter("deploying now")
    said = world.node.town(dev).log[-1]
    line = replace(said, acked=2, of=4)
    rows = (
        TraceRow(2, "bob", "acked", 12, "direct", tries=1),
        TraceRow(4, "carol", "acked", 48, "relay", "UNAVAILABLE", tries=2),
        TraceRow(9, "dan", "waiting", last_status="DEADLINE_EXCEEDED", next_try_ms=700, tries=3),
        TraceRow(1, "alice", "later", last_status="UNAVAILABLE"),
    )
    world.node.answers["trace"] = Tracing(line, "bob", rows, ("4f2a", "19c0"), world.now())
    world.press("F3")


@scene("84x16")
def _trace_nothing(world: World) -> None:
    """F3 with nothing said yet."""
    told(world)
    world.press("F3")


@scene("110x16 60x16")
def _queue(world: World) -> None:
    """/queue: own lines that somebody who is there lacks."""
    dev = told(world)
    world.node.acknowledges = False
    world.enter("deploying now")
    line = world.node.town(dev).log[-1]
    world.node.answers["queue"] = Queue((QueueRow("dev", line, ("dan", "alice"), 700),))
    world.enter("/queue")


@scene("110x16 60x16 200x16")
def _peers(world: World) -> None:
    """/peers: links, round trips, failures."""
    told(world)
    gone, doubtful = ("UNAVAILABLE", "dropped"), ("UNAVAILABLE", "suspect")
    both = "you watch it, it watches you"
    rows = (
        Peer("dev", 1, "alice", "127.0.0.1:50051", "failing", 0, 14, 3, *gone),
        Peer("dev", 2, "bob", "127.0.0.1:50052", "ready", 412, 1_204, 0, "", "alive", watch=both),
        Peer("dev", 4, "carol", "127.0.0.1:50054", "ready", 38_004, 977, 1, "", "alive", 1),
        Peer("dev", 9, "dan", "127.0.0.1:50059", "connecting", 0, 3, 3, *doubtful),
    )
    others = tuple(replace(one, watch="bob watches it") for one in rows[2:])
    world.node.answers["peers"] = Peers((*rows[:2], *others))
    world.enter("/peers")


@scene("110x20 60x20")
def _rpc(world: World) -> None:
    """/rpc: the last calls as lines of grpcurl, whole, to be pasted."""
    told(world)
    request = '{"chat_id": 1, "caller": {"member_id": 7}, "messages": [{"text": "deploying now"}]}'
    before, deliver, ping = world.now() - 900, "p2pchat.v1.Node/Deliver", "p2pchat.v1.Node/Ping"
    world.node.answers["calls"] = Calls(
        (
            CallMade(before, deliver, "127.0.0.1:50052", request, "OK", 3),
            CallMade(world.now(), ping, "127.0.0.1:50051", "{}", "UNAVAILABLE", 1),
        )
    )
    world.enter("/rpc")


@scene("84x14")
def _check(world: World) -> None:
    """/check: whether every member has the same history."""
    told(world)
    world.node.answers["check"] = Comparison(
        "dev",
        False,
        (
            Compared(2, "bob", "7c3e", True),
            Compared(4, "carol", "19f0", False),
            Compared(9, "dan", "", False),
        ),
    )
    world.enter("/check")


@scene("84x16 60x16")
def _switcher(world: World) -> None:
    """Ctrl+G: chats that match what is typed, best first."""
    told(world)
    elsewhere(world)
    world.press("Ctrl+G")
    world.type("o")


@scene("84x16 60x16")
def _completion(world: World) -> None:
    """Tab: the commands that begin like this."""
    told(world)
    world.type("/le")
    world.press("Tab")


@scene("84x16")
def _completion_nicks(world: World) -> None:
    """Tab at the start of a line: a nick and a colon."""
    told(world)
    world.type("da")
    world.press("Tab")


@scene("84x16 60x16")
def _search(world: World) -> None:
    """Ctrl+S: matches are marked, the last one is looked at."""
    dev = cast(world)
    long_talk(world, dev, 120)
    world.start()
    world.press("Ctrl+S")
    world.type("line 4")


@scene("84x16")
def _search_input(world: World) -> None:
    """Ctrl+R: what was typed before."""
    told(world)
    for text in ("deploying now", "thanks bob", "rolling back"):
        world.enter(text)
    world.passes(1_000)
    world.press("Ctrl+R")
    world.type("dep")


@scene("84x16")
def _unknown_command(world: World) -> None:
    """An unknown command is never sent: the nearest one is named; so are wrong arguments."""
    told(world)
    world.enter("/laeder")
    world.enter("/notify loudly")


@scene("84x20 60x20")
def _answers(world: World) -> None:
    """Answers of slash commands stand below the conversation."""
    told(world)
    world.enter("/leader")
    world.enter("/whois bob")
    world.enter("/status")
