"""Commands about the face itself: settings, themes, and slash commands of one's own."""

import re

from msgspec.structs import replace

from ...errors import nearest
from ...limits import line_fault
from ...options import SETTABLE, Option
from ..model.events import Aliased, Chose
from ..model.values import State
from ..render.text import clean_line
from .actions import Action, Apply, Show
from .shape import TYPED_MAX, Mistyped, Values, typed

ALIAS_MAX = 300  # characters of what an alias stands for
NAME = re.compile(r"[a-z0-9_-]{1,24}")

NO_ALIAS = "there are no aliases; for example: /alias w /whois"


# ---- settings ----------------------------------------------------------------------------------


def change(state: State, values: Values) -> Action:
    """`/set`: all settings, one of them, or its new value."""
    if not values["key"]:
        return Show(tuple(_shown(state, option) for option in SETTABLE))
    option = settable(values["key"])
    if not values["value"]:
        allowed = f"; it takes {', '.join(option.choices)}" if option.choices else ""
        return Show((f"{_shown(state, option)}{allowed}",))
    return _chosen(state, option, values["value"])


def theme(state: State, values: Values) -> Action:
    """`/theme`: the short form of `/set theme`."""
    return change(state, {"key": "theme", "value": values["name"]})


def settable(key: str) -> Option:
    """The setting that somebody names: in full, or by a beginning that no other has.

    Raises:
        Mistyped: there is none, or several.
    """
    wanted = re.sub(r"[.-]", "_", key.casefold())
    keys = [option.key for option in SETTABLE]
    begun = [option for option in SETTABLE if option.key.startswith(wanted)]
    exact = [option for option in begun if option.key == wanted] or begun
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise Mistyped(f"{typed(wanted)} may be {' or '.join(option.key for option in exact)}")
    near = nearest(wanted[:TYPED_MAX], keys, mark="")
    raise Mistyped(f"there is no such setting.{near} They are {', '.join(keys)}")


def _chosen(state: State, option: Option, text: str) -> Action:
    cleared = not option.choices and text.casefold() == "off"
    if cleared or (text.casefold() == "default" and "default" not in option.choices):
        value = option.default
    else:
        try:
            value = option.read(typed(text.casefold()) if option.choices else text)
        except ValueError as error:
            example = f"/set {option.key} {option.choices[-1] if option.choices else 'off'}"
            raise Mistyped(f"{option.key} {error}, for example: {example}") from error
    settings = replace(state.settings, **{option.key: value})
    return Apply(Chose(settings), f"{option.key} = {clean_line(value) or 'off'}")


def _shown(state: State, option: Option) -> str:
    value = clean_line(getattr(state.settings, option.key)) or "off"
    return f"{option.key} = {value}  ({option.help})"


# ---- aliases -----------------------------------------------------------------------------------


def word_fault(name: str) -> str:
    """What is wrong with the name of an alias."""
    if NAME.fullmatch(name.casefold()):
        return ""
    return "the name of an alias must be 1 to 24 letters a to z, digits, - or _"


def text_fault(text: str) -> str:
    """What is wrong with what an alias stands for."""
    if not text.strip():
        return "what the alias stands for must be a text, for example /whois"
    fault = line_fault(text.strip(), ALIAS_MAX)
    return f"what the alias stands for {fault}" if fault else ""


def aliased(state: State, name: str) -> str:
    """What stands behind an alias; empty where there is none of that name."""
    return dict(state.aliases).get(name.casefold(), "")


def listed(state: State) -> tuple[str, ...]:
    """The aliases, one line each."""
    return tuple(f"/{name} stands for {clean_line(text)}" for name, text in sorted(state.aliases))


def remove(state: State, name: str) -> Action:
    """Raises Mistyped where there is no such alias."""
    if not aliased(state, name):
        near = nearest(name[:TYPED_MAX], dict(state.aliases), mark="")
        raise Mistyped(f"there is no alias {typed(name)}.{near}")
    return Apply(Aliased(name.casefold(), ""), f"/{name.casefold()} stands for nothing any more")
