"""What `[keys]` and `[alias]` of config.toml say, and what is wrong with them.

`config` hands on the two tables as they stand in the file; only the faces know what a key and a
slash command may be.  Mistakes are told in its words: file, line, key, and what counts instead.
"""

from collections.abc import Mapping

from msgspec import Struct

from ..config import Config
from .commands import alias_fault
from .keys import DEMO, Chords, bindings, spelled


class Personal(Struct, frozen=True):
    """The keys and slash commands of one's own."""

    keys: Mapping[str, Chords]  # of every action, those of the demo included
    changed: frozenset[str]  # the actions whose keys the file has changed
    aliases: Mapping[str, str]  # folded name -> what it stands for
    complaints: tuple[str, ...] = ()


def personal(config: Config) -> Personal:
    """The two tables without their mistakes, and these in order of line."""
    table, usual = config.tables["keys"], bindings({}, DEMO)[0]
    bound, faults = bindings(table, DEMO)
    wrong: list[tuple[int, str]] = []
    for fault in faults:
        line, where = config.where("keys", fault.action)
        kept = ", ".join(map(spelled, usual.get(fault.action, ())))
        ends = f"; '{kept}' is used" if kept else " It is ignored"
        wrong.append((line, f"{where} {fault.text}{ends}"))
    aliases: dict[str, str] = {}
    for name, value in config.tables["alias"].items():
        if why := _alias_fault(name, value):
            line, where = config.where("alias", name)
            wrong.append((line, f"{where} {why}. It is ignored"))
        else:
            aliases[name.casefold()] = str(value).strip()
    changed = frozenset(table).difference(fault.action for fault in faults)
    complaints = tuple(said for _, said in sorted(wrong))
    return Personal(bound, changed, aliases, complaints)


def _alias_fault(name: str, value: object) -> str:
    return alias_fault(name, value) if isinstance(value, str) else f"must be a text, not {value!r}"
