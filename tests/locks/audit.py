"""Complaints about a lock file, from texts and metadata that are handed in.

A lock file is good if every pin has hashes and nothing else stands in it, everything declared is
pinned within its bounds, every pin is needed by something declared, and no pin is of a release that
is known to be bad.  What needs what is read from the metadata of installed packages; one that is
for other systems is not installed here, and then only that it is needed itself is looked at.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


class Pin(Struct, frozen=True):
    """One package of a lock file."""

    name: str
    version: Version
    marker: str  # empty: everywhere
    hashes: int


class Advisory(Struct, frozen=True):
    """Releases of one package that are known to be bad."""

    package: str
    id: str
    alias: str
    affected: tuple[str, ...]
    what: str

    def concerns(self, pin: Pin) -> bool:
        lines = (SpecifierSet(line) for line in self.affected)
        is_in = any(line.contains(pin.version, prereleases=True) for line in lines)
        return pin.name == self.package and is_in


class Installed(Struct, frozen=True):
    """What an installed package says of itself."""

    version: Version
    requires: tuple[str, ...]


Find = Callable[[str], Installed | None]


def pins_of(text: str) -> tuple[dict[str, Pin], list[str]]:
    """The pins by name, and what is wrong with the lines."""
    pins: dict[str, Pin] = {}
    wrong: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        stated, *rest = line.split(" --hash=")
        if not stated.strip() or stated.startswith("#"):
            continue
        try:
            said = Requirement(stated.strip())
        except InvalidRequirement:
            wrong.append(f"{stated.strip()!r} is no pin of one release: name==version")
            continue
        name = canonicalize_name(said.name)
        exact = re.fullmatch(r"==([^*]+)", str(said.specifier))
        if exact is None or said.url or said.extras:
            wrong.append(f"{name} must be pinned as {name}==version, not {stated.strip()!r}")
            continue
        good = [f"--hash={one.strip()}" for one in rest]
        if not good:
            wrong.append(f"{name} has no hash")
        wrong += [f"{name}: {one!r} is no sha256" for one in good if not HASH.fullmatch(one)]
        if name in pins:
            wrong.append(f"{name} is pinned twice")
        pins[name] = Pin(name, Version(exact[1]), str(said.marker or ""), len(good))
    return pins, wrong


def declared(project: Mapping[str, Any], group: str = "") -> list[Requirement]:
    """What pyproject.toml asks for: the project's dependencies, and those of a group."""
    asked = [Requirement(one) for one in project["project"]["dependencies"]]
    return asked + (_of_group(project["dependency-groups"], group) if group else [])


def _of_group(groups: Mapping[str, Sequence[Any]], name: str) -> list[Requirement]:
    asked = []
    for one in groups[name]:
        if isinstance(one, str):
            asked.append(Requirement(one))
        else:
            asked += _of_group(groups, one["include-group"])
    return asked


def complaints(
    pins: Mapping[str, Pin],
    asked: Sequence[Requirement],
    find: Find,
    advisories: Sequence[Advisory],
) -> Iterator[str]:
    """What is wrong with these pins."""
    needed: set[str] = set()
    for one in asked:
        yield from _unmet(one, pins, "pyproject.toml", always=True)
    todo = [(canonicalize_name(one.name), frozenset(one.extras)) for one in asked]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        name, extras = one_needed = todo.pop()
        if one_needed in seen:
            continue
        seen.add(one_needed)
        needed.add(name)
        installed, pin = find(name), pins.get(name)
        if pin is None:
            continue
        if installed is None:
            if _holds(pin.marker):
                yield f"{name} is locked and not installed here: run make setup"
            continue
        if installed.version != pin.version:
            yield f"{name} is locked at {pin.version} and installed at {installed.version}"
        for text in installed.requires:
            requirement = Requirement(text)
            if not _could_apply(requirement, extras):
                continue
            yield from _unmet(requirement, pins, name, always=False, extras=extras)
            todo.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    for name in sorted(set(pins) - needed):
        yield f"{name} is needed by nothing that pyproject.toml declares"
    for pin in pins.values():
        for bad in (one for one in advisories if one.concerns(pin)):
            told = f"{bad.what} ({bad.id}, {bad.alias})"
            yield f"{pin.name}=={pin.version} is known to be bad: {told}"


def _unmet(
    wanted: Requirement,
    pins: Mapping[str, Pin],
    by: str,
    *,
    always: bool,
    extras: frozenset[str] = frozenset(),
) -> Iterator[str]:
    """`always`: also where it is meant for other systems than this."""
    if not (always or _applies(wanted, extras)):
        return
    pin = pins.get(canonicalize_name(wanted.name))
    if pin is None:
        yield f"{wanted.name} is not pinned, and {by} needs it"
    elif not wanted.specifier.contains(pin.version, prereleases=True):
        yield f"{pin.name}=={pin.version} is not within {wanted.specifier}, which {by} needs"


def _applies(wanted: Requirement, extras: frozenset[str]) -> bool:
    """On this system."""
    if wanted.marker is None:
        return True
    return any(wanted.marker.evaluate({"extra": extra}) for extra in extras or {""})


def _could_apply(wanted: Requirement, extras: frozenset[str]) -> bool:
    """On any system: of the marker only what it says of extras counts."""
    marker = str(wanted.marker or "")
    if "extra ==" not in marker:
        return True
    return any(re.search(rf"extra == ['\"]{re.escape(one)}['\"]", marker) for one in extras)


def elsewhere(pins: Mapping[str, Pin]) -> list[str]:
    """Pins for other systems than this, whose own needs are not known here."""
    return sorted(pin.name for pin in pins.values() if not _holds(pin.marker))


def _holds(marker: str) -> bool:
    return not marker or Marker(marker).evaluate()
