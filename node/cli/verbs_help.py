"""Verbs that need no node: log, config, completion, errors."""

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import config as settings
from .. import errors as complaints
from ..errors import DONE, Usage
from .keys import spelled
from .personal import Personal, personal
from .render import records, tables
from .run import Run


def _errors(run: Run) -> int:
    """The exit codes; with one, every complaint that ends so."""
    if run.args.code is None:
        rows = [
            {"exit": code, "reason": None, "text": text}
            for code, text in complaints.EXIT_CODES.items()
        ]
        lines = [f"{row['exit']:>3}  {row['text']}" for row in rows]
    else:
        kinds = [one for one in complaints.catalogue() if one.exit == run.args.code]
        rows = [
            {"exit": one.exit, "reason": one.reason, "text": " ".join((one.__doc__ or "").split())}
            for one in kinds
        ]
        lines = [complaints.EXIT_CODES[run.args.code]]
        lines += [f"  {row['reason']}: {row['text']}" for row in rows]
    run.output.rows(rows) if run.output.as_json else run.output.lines(lines)
    return DONE


def _config(run: Run) -> int:
    """Where the file is; or every setting, its value and its source."""
    if run.args.what == "path":
        path = str(run.places.config)
        return run.output.answer(tables.said(path, path=path))
    found = run.config
    timing = found.build_timing()
    rows = [
        {"key": one.key, "value": found.values[one.key], "source": found.sources[one.key]}
        for one in settings.OPTIONS
    ]
    for key in timing.__struct_fields__:
        source = found.timing_sources.get(key, f"preset {found.preset}")
        rows.append({"key": f"timing.{key}", "value": getattr(timing, key), "source": source})
    own = personal(found)
    run.output.note(*(f"p2pchat: {complaint}" for complaint in own.complaints))
    rows += _tables(own)
    if run.output.as_json:
        run.output.rows(rows)
    else:
        run.output.lines(
            f"{row['key']} = {_shown(row['value'])}  # {row['source']}" for row in rows
        )
    return DONE


def _tables(own: Personal) -> list[dict[str, object]]:
    """[keys] and [alias], as they count."""
    rows: list[dict[str, object]] = [
        {
            "key": f"keys.{action}",
            "value": tuple(map(spelled, chords)),
            "source": "file" if action in own.changed else "default",
        }
        for action, chords in own.keys.items()
    ]
    rows += [
        {"key": f"alias.{name}", "value": text, "source": "file"}
        for name, text in own.aliases.items()
    ]
    return rows


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(list(value)).replace("'", '"') if isinstance(value, tuple) else str(value)


def _completion(run: Run) -> int:
    """A completion script for a shell."""
    import shtab

    from .parser import build

    parser = build()
    verbs = next(action for action in parser._actions if action.dest == "verb")
    if isinstance(verbs.choices, dict):
        verbs.choices.pop("_node")
    run.output.lines(shtab.complete(parser, shell=run.args.shell).splitlines())
    return DONE


LEVELS = ("debug", "info", "warning", "error", "critical")


def _log(run: Run) -> int:
    """The logs of several nodes as one, each line with the name of its profile."""
    files = [pair for home in run.args.homes for pair in _logs(Path(home))]
    if not run.args.homes:
        files = [(run.places.profile, run.places.log)]
    merged = heapq.merge(*(_stamped(name, file) for name, file in files), key=lambda one: one[0])
    if run.output.as_json:
        run.output.rows(_parts(*one) for one in merged)
    else:
        run.output.lines(f"{stamp} {name:<10} {text}" for stamp, name, text in merged)
    return DONE


def _parts(stamp: str, name: str, text: str) -> records.Row:
    """{"ts","profile","level","text"}; no level where a line is none of ours."""
    level, _, rest = text.partition(" ")
    if level not in LEVELS:
        return {"ts": stamp, "profile": name, "level": None, "text": text}
    return {"ts": stamp, "profile": name, "level": level, "text": rest.strip()}


def _logs(home: Path) -> list[tuple[str, Path]]:
    """Log files at `home`, with what they are called: itself, its own, or its profiles'."""
    if home.is_file():
        return [(home.stem, home)]
    found = sorted([*home.glob("node.log"), *home.glob("*/node.log")])
    if not found:
        raise Usage(text=f"there is no node.log in {home}, nor in a directory in it")
    top = home.absolute().name
    if len(found) == 1:
        return [(top, found[0])]
    return [(f"{top}/{file.parent.name}", file) for file in found]


def _stamped(name: str, file: Path) -> Iterator[tuple[str, str, str]]:
    """Each line as its instant, the name and what it says; one without is of the line before."""
    stamp = ""
    try:
        with file.open(encoding="utf-8", errors="backslashreplace") as lines:
            for line in lines:
                text = line.rstrip()
                if line[:4].isdecimal():
                    stamp, text = line[:24], text[25:]
                yield stamp, name, text
    except OSError as error:
        raise Usage(text=f"{file}: {error.strerror or error}") from error


VERBS: dict[str, Callable[[Run], int]] = {
    "errors": _errors,
    "config": _config,
    "completion": _completion,
    "log": _log,
}
