"""Settings: what they are, where they come from, and what is wrong with them.

A setting is taken from the first of: flag, environment, profile (what the profile's node was last
started with, then `[profile.NAME]` of the file), the file, the default.  A broken file never stops
anything: each mistake is named with file, line and key, and the next source counts.  Only timing
settings that contradict each other are refused, since they would make a node that deposes leaders.
"""

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from .errors import BadTiming, Usage, nearest
from .limits import split_address
from .names import is_known
from .options import BY_KEY, NDS_DEFAULT, OPTIONS, Option
from .places import Places

if TYPE_CHECKING:
    from .core.timing import Timing

__all__ = ["NDS_DEFAULT", "OPTIONS", "TABLES", "Config", "Option", "load", "warn"]

TABLES = ("keys", "alias")  # what the faces take apart by themselves
LISTENED = ("listen", "nds_listen")  # hosts of this machine


class Config(Struct, frozen=True):
    """All settings, where each comes from, and what was wrong with the file."""

    values: Mapping[str, Any]
    sources: Mapping[str, str]
    timing: Mapping[str, int]  # fields of Timing that are set beside the preset ...
    timing_sources: Mapping[str, str]  # ... and where each of them comes from
    tables: Mapping[str, Mapping[str, object]]  # [keys] and [alias], as they stand in the file
    lines: Mapping[tuple[str, str], int]  # of the entries of those tables
    complaints: tuple[str, ...]
    file: Path

    nick: str
    nds: tuple[str, ...]
    listen: str
    advertise: str
    nds_listen: str
    timeout: float
    insecure: str
    preset: str
    durability: str
    color: str
    log_level: str
    theme: str
    chats: str
    members: str
    notices: str
    mouse: str
    bell: str
    seconds: str
    notify_command: str

    def where(self, table: str, key: str) -> tuple[int, str]:
        """The line on which a key of one of the `tables` stands, and how a complaint begins."""
        line = self.lines.get((table, key), 1)
        return line, f"{self.file} line {line}: key '{key}':"

    def given(self, key: str) -> Any:
        """A setting for the profile to keep: what a flag, the environment or an earlier start gave;
        empty where the file or the default counts, which may change.
        """
        option = BY_KEY[key]
        chosen = (f"flag {option.flag}", option.variable, "profile")
        return self.values[key] if self.sources[key] in chosen else ""

    @property
    def given_timing(self) -> dict[str, int]:
        """The same of `timing`."""
        sources = self.timing_sources
        return {key: value for key, value in self.timing.items() if sources[key] != "file"}

    def build_timing(self) -> "Timing":
        """The timing of a node.

        Raises:
            BadTiming: the settings contradict each other.
        """
        from msgspec.structs import replace

        from .core.timing import PRESETS

        try:
            return replace(PRESETS[self.preset], **dict(self.timing))
        except ValueError as error:
            raise BadTiming(text=error, file=self.file) from error


_PART = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_ASSIGNED = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")


def _parts(name: str) -> list[str]:
    """The parts of a name in TOML, which has dots between them."""
    return [part.strip("\"'") for part in re.split(r"\s*\.\s*", name.strip())]


class _File(Struct):
    """config.toml as read: its tables, and complaints about it with their lines."""

    path: Path
    tables: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> "_File":
        file = cls(path)
        try:
            file.text = path.read_text("utf-8")
            file.tables = tomllib.loads(file.text)
        except FileNotFoundError:
            pass
        except OSError as error:
            file.complaints.append(f"{path}: {error.strerror or error}; defaults are used")
        except UnicodeDecodeError as error:
            file.complaints.append(f"{path}: not UTF-8 text ({error.reason}); defaults are used")
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"\(at line (\d+), column \d+\)", str(error))
            where = f"line {line[1]}" if line else "end"
            what = str(error).split(" (at ")[0]
            key = file.key_at(int(line[1])) if line else ""
            named = f" key '{key}':" if key else ""
            file.complaints.append(f"{path} {where}:{named} {what}; defaults are used")
        return file

    def key_at(self, number: int) -> str:
        lines = self.text.splitlines()
        text = lines[number - 1] if number <= len(lines) else ""
        return text.split("=")[0].strip() if "=" in text else ""

    def line_of(self, key: str, table: str = "") -> int:
        """The line on which `key` of `table` is set, 1 if it cannot be found."""
        wanted = [*filter(None, table.split(".")), *key.split(".")]
        inside: list[str] = []
        for number, text in enumerate(self.text.splitlines(), 1):
            if header := re.fullmatch(r"\s*\[([^\]]+)\]\s*(#.*)?", text):
                inside = found = _parts(header[1])
            else:
                assigned = _ASSIGNED.match(text)
                found = [*inside, *_parts(assigned[1])] if assigned else []
            if found[: len(wanted)] == wanted:
                return number
        return 1

    def complain(self, key: str, text: str, kept: object, table: str = "") -> None:
        line = self.line_of(key, table)
        used = (", ".join(kept) or "none") if isinstance(kept, tuple) else repr(kept)
        self.complaints.append(f"{self.path} line {line}: key '{key}': {text}; {used} is used")

    def drop(self, key: str, text: str, table: str = "") -> None:
        """The entry counts for nothing."""
        line = self.line_of(key, table)
        self.complaints.append(f"{self.path} line {line}: key '{key}': {text} It is ignored")

    def table(self, name: str) -> dict[str, Any]:
        """The table of that name; empty where there is none."""
        found = self.tables.get(name, {})
        if isinstance(found, dict):
            return found
        self.drop(name, f"must be a table, written [{name}].")
        return {}


def load(
    spot: Places,
    flags: Mapping[str, Any] | None = None,
    profile: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """Every setting, by precedence.

    Args:
        spot: names the file.
        flags: by key, as typed; None and missing ones count as not given.
        profile: what the profile keeps, by key (`timing` as a table); empty values count as not
            given, and so does what this version does not know.
        environ: where P2PCHAT_... variables are looked up.

    Raises:
        Usage: a flag or an environment variable is malformed.
    """
    file = _File.load(spot.config)
    own = file.tables.get("profile", {})
    table = own.get(spot.profile, {}) if isinstance(own, dict) else {}
    table = table if isinstance(table, dict) else {}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for option in OPTIONS:
        values[option.key], sources[option.key] = _pick(
            option, (profile or {}, table, file.tables), flags or {}, environ
        )
        for source, name in ((file.tables, ""), (table, f"profile.{spot.profile}")):
            _check(option, file, source, name, values[option.key])
    _name_unknown(file, f"profile.{spot.profile}", table)
    timing, timing_sources = _timing(file, flags or {}, (profile or {}).get("timing", {}))
    tables = {name: file.table(name) for name in TABLES}
    lines = {(name, key): file.line_of(key, name) for name in TABLES for key in tables[name]}
    return Config(
        values,
        sources,
        timing,
        timing_sources,
        tables,
        lines,
        tuple(file.complaints),
        spot.config,
        **values,
    )


def _pick(
    option: Option,
    lower: tuple[Mapping[str, Any], ...],
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
) -> tuple[Any, str]:
    given = flags.get(option.key)
    if given not in (None, [], ()):
        return _strict(option, given, option.flag), f"flag {option.flag}"
    if environ.get(option.variable):
        return _strict(option, environ[option.variable], option.variable), option.variable
    for source, name in zip(lower, ("profile", "file, [profile]", "file"), strict=True):
        if source.get(option.key) not in (None, "", [], ()):
            read = option.read if name == "profile" else partial(_read, option)
            try:
                return read(source[option.key]), name
            except ValueError:
                continue  # `_check` names it, with its line
    return option.default, "default"


def _read(option: Option, value: object) -> Any:
    """A value of the file.

    Raises:
        ValueError: it is none, or the name of a host that this machine does not know.
    """
    found = option.read(value)
    if option.key in LISTENED and not is_known(host := split_address(found)[0]):
        raise ValueError(f"this machine knows no host {host!r}")
    return found


def _strict(option: Option, value: object, name: str) -> Any:
    try:
        return option.read(value)
    except ValueError as error:
        raise Usage(text=f"{name}: {error}") from error


def _check(
    option: Option, file: _File, source: Mapping[str, Any], table: str, kept: object
) -> None:
    if option.key in source:
        try:
            _read(option, source[option.key])
        except ValueError as error:
            file.complain(option.key, str(error), kept, table)


def _name_unknown(file: _File, header: str, table: Mapping[str, Any]) -> None:
    keys = [option.key for option in OPTIONS]
    tables = ["timing", "profile", *TABLES]
    for source, name in ((file.tables, ""), (table, header)):
        for key in source:
            if key not in keys and not (not name and key in tables):
                near = nearest(key, keys + tables, mark="")
                file.drop(key, f"no such setting.{near}", name)


def _timing(
    file: _File, flags: Mapping[str, Any], kept: Mapping[str, Any]
) -> tuple[dict[str, int], dict[str, str]]:
    """The timing settings that are set, and where each comes from."""
    from .core.timing import Timing

    known = list(Timing.__struct_fields__)
    found: dict[str, int] = {}
    sources: dict[str, str] = {}
    for key, value in file.table("timing").items():
        if key not in known:
            near = nearest(key, known, mark="")
            file.drop(key, f"no such timing setting.{near}", "timing")
        elif not _is_timing(value):
            text = f"must be a whole number above 0, not {value!r}"
            file.complain(key, text, "the preset", "timing")
        else:
            found[key], sources[key] = value, "file"
    for key, value in kept.items():
        if key in known and _is_timing(value):
            found[key], sources[key] = value, "profile"
    for item in flags.get("timing") or ():
        key, _, value = str(item).partition("=")
        if key not in known:
            near = nearest(key, known, mark="")
            raise Usage(text=f"--timing: there is no setting {key!r}.{near}")
        if not value.isdecimal() or int(value) == 0:
            raise Usage(text=f"--timing {key}: must be a whole number above 0, not {value!r}")
        found[key], sources[key] = int(value), "flag --timing"
    return found, sources


def _is_timing(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def warn(config: Config) -> None:
    """Says on stderr what is wrong with the file."""
    for complaint in config.complaints:
        print(f"p2pchat: {complaint}", file=sys.stderr)
