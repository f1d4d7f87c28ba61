"""Commands that ask the node: what they hand to the queries, and which of them open a page."""

from typing import Any

from ...limits import name_fault, nick_fault
from ...names import parse_target
from ...words import Kind
from ..model.values import State
from .actions import Action, Find, Open, Query, Say, Show
from .chats import current, found
from .shape import Doing, Mistyped, Values, typed

RIGHTS = ("invite", "topic")
RIGHTFUL = ("all", "admins")


def ask(name: str, *, here: bool = True) -> Doing:
    """Passes the arguments on to the query `name`, in the chat named or in front."""

    def do(state: State, values: Values) -> Action:
        return Query(name, _args(state, values, here))

    return do


def open_page(kind: str, *, here: bool = True, topic: str = "") -> Doing:
    """Opens the page `kind`; `topic` is the argument that says what it is about."""

    def do(state: State, values: Values) -> Action:
        return Open(kind, values.get(topic, ""), _args(state, values, here))

    return do


def _args(state: State, values: Values, here: bool) -> dict[str, Any]:
    args: dict[str, Any] = {key: value for key, value in values.items() if value}
    return args | {"chat": current(state, values.get("chat", ""))} if here else args


def say(kind: Kind) -> Doing:
    """`/say` and `/me`: text, and what one does."""

    def do(state: State, values: Values) -> Action:
        return Say(current(state), values["text"], kind)

    return do


def find(state: State, values: Values) -> Action:
    """`/search`: in the chat in front."""
    current(state)
    return Find(values["text"])


def join(_: State, values: Values) -> Action:
    """`/join`: the line is looked at before the node is asked."""
    try:
        parse_target(values["line"])
    except ValueError as error:
        raise Mistyped(f"{error}; for example: /join 10.0.0.5:50050/dev") from error
    return Query("join", {"line": values["line"]})


def invite(state: State, values: Values) -> Action:
    """`/invite`: for one person alone with "once", which may stand without a chat."""
    chat, once = values["chat"], values["once"]
    if chat.casefold() in ("once", "--once") and not found(state, chat):
        chat, once = "", "once"
    return Query("invite", {"chat": current(state, chat)} | ({"once": True} if once else {}))


def create(_: State, values: Values) -> Action:
    """`/create`: the name is looked at before the node is asked."""
    name = values["name"].removeprefix("#")
    if fault := name_fault(name):
        raise Mistyped(f"the name of a chat {fault}; for example: /create dev")
    return Query("create", {"name": name})


def nick(state: State, values: Values) -> Action:
    """`/nick`: who one is, or shall be."""
    if not values["nick"]:
        return Show((f"you are {state.own_nick}",))
    if fault := nick_fault(values["nick"]):
        raise Mistyped(f"a nick {fault}; for example: /nick alice")
    return Query("nick", {"nick": values["nick"]})


def decide(act: str) -> Doing:
    """`/kick` and the like: that, about a member, in the chat in front."""

    def do(state: State, values: Values) -> Action:
        return Query("decide", {"chat": current(state), "act": act, "member": values["member"]})

    return do


def rights(state: State, values: Values) -> Action:
    """`/rights`: what they are, or one of them from now on."""
    right, who = values["right"].casefold(), values["who"].casefold()
    if right and (right not in RIGHTS or who not in RIGHTFUL):
        said = f"/rights takes {' or '.join(RIGHTS)}, and then {' or '.join(RIGHTFUL)}"
        raise Mistyped(f"{said}; for example: /rights invite admins")
    args = {"right": right, "value": who} if right else {}
    return Query("rights", args | {"chat": current(state)})


def history(state: State, values: Values) -> Action:
    """`/history`: the last lines, 20 of them unless another number is given."""
    count = values["count"] or "20"
    if not (count.isdecimal() and len(count) <= 4 and 1 <= int(count) <= 1_000):
        raise Mistyped(f"/history takes a number from 1 to 1000, not {typed(count)!r}")
    return Query("history", {"chat": current(state), "count": int(count)})


def election(state: State, values: Values) -> Action:
    """`/election`: the last ones on a page; with "start", one now."""
    args = {"chat": current(state)}
    return Query("challenge", args) if values["start"] else Open("elections", "", args)
