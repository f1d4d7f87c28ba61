"""README.md as a program: its command blocks, the shells that run them, its generated tables.

A ```console block holds lines `NAME$ command`, which NAME's shell runs, lines `NAME> text`, which
are typed into the app that runs there (`[F2]`, `[Ctrl+D]` are keys), and below them what is to be
seen: all that a command prints, some of the rows that an app shows.  What stands above the first of
them is seen before.  A command line that ends with a backslash, or within a quote, goes on in the
next line.  Of what is shown, times, ids, addresses, numbers of processes and durations may differ,
a `…` stands for anything in its line, and a line that is nothing but `…` for any number of lines.

`python -m tests.e2e.readme` writes the tables of README.md anew.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from node.cli.commands import TABLE, Command
from node.cli.keys import TABLE as KEYS
from node.cli.keys import spelled
from node.cli.parser import VERBS
from node.config import OPTIONS, Option
from node.errors import EXIT_CODES

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"(?P<shell>[a-z]*)(?P<mark>[$>]) (?P<text>.*)")
KEY = re.compile(r"\[([A-Z][\w+=]*)\]")
ANY = "…"


# ---- blocks --------------------------------------------------------------------------------------


class Step(Struct):
    """One command or typed line of a block, with what is shown below it."""

    shell: str
    text: str  # empty: nothing is typed, something is to be seen
    typed: bool  # into the app that the shell's last command started
    line: int  # of README.md
    shown: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The key that is pressed; empty where text is typed."""
        found = KEY.fullmatch(self.text) if self.typed else None
        return found[1] if found else ""


def blocks(text: str) -> Iterator[tuple[str, str, int]]:
    """Language, content and first line of every fenced block."""
    for found in FENCE.finditer(text):
        yield found[1], found[2], text.count("\n", 0, found.start()) + 2


def steps(text: str) -> list[Step]:
    """Every step of every console block, in order."""
    return [
        step
        for language, content, first in blocks(text)
        if language == "console"
        for step in _block(content.splitlines(), first)
    ]


def _block(lines: list[str], first: int) -> list[Step]:
    before = Step("", "", True, first)
    found = [before]
    for number, line in enumerate(lines, first):
        if _goes_on(found[-1]):
            found[-1].text += "\n" + line
        elif prompt := PROMPT.fullmatch(line):
            found.append(Step(prompt["shell"], prompt["text"], prompt["mark"] == ">", number))
        else:
            found[-1].shown.append(line)
    if len(found) == 1:
        raise ValueError(f"README.md:{first}: a block without a prompt")
    before.shell = found[1].shell
    return found if before.shown else found[1:]


def _goes_on(step: Step) -> bool:
    plain = re.sub(r"\\.", "", step.text.replace('"\'"', ""))
    return not step.typed and (step.text.endswith("\\") or plain.count("'") % 2 == 1)


# ---- what is shown and what is printed -----------------------------------------------------------

VARYING = [
    (r"((?<=\bnode )|(?<=\bNDS )|(?<=\"pid\": ))\d+\b|\b\d{17,}\b", "<number>"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<instant>"),
    (r"\b\d\d:\d\d:\d\d\b|(?<=\[)\d\d:\d\d(?=\])", "<time>"),
    (r"\b(127\.0\.0\.1|10\.0\.0\.5|192\.168\.1\.7|0\.0\.0\.0):\d+", "<address>"),
    (r"(?<=/dev)#[\w-]{48}", "#<secret>"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<id>"),
    (r"\b([0-9a-f]{16}|[0-9a-f]{4})\b", "<id>"),
    (r"\b\d+(\.\d+)? ?m?s\b", "<span>"),
    (r"[ \t]+", " "),
]


def same_form(line: str) -> str:
    """The line with what differs from run to run taken out."""
    for pattern, word in VARYING:
        line = re.sub(pattern, word, line)
    return line.strip()


def as_shown(shown: str, printed: str) -> bool:
    """Whether a line that was printed is the one shown."""
    return re.fullmatch(_pattern(shown), same_form(printed)) is not None


def _pattern(shown: str) -> str:
    parts = [re.escape(same_form(part)) for part in shown.split(ANY)]
    return r".*".join(parts).replace(r"\ .*", r".*")


def all_seen(shown: list[str], rows: list[str]) -> bool:
    """Whether the rows of a screen hold, in this order, the lines shown; panes may stand beside."""
    rest = iter(rows)
    return all(any(seen(line, row) for row in rest) for line in shown)


def seen(shown: str, row: str) -> bool:
    """Whether a row of a screen holds a line that is shown, with nothing but panes beside it."""
    beside = rf"(?<![^\s|]){_pattern(shown)}(?![^\s|])"
    return re.search(beside, same_form(row)) is not None


def all_as_shown(shown: list[str], printed: list[str]) -> bool:
    """Whether lines that were printed are those shown; `…` alone stands for any number of lines."""
    if not shown:
        return not printed
    if shown[0].strip() == ANY:
        return any(all_as_shown(shown[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and as_shown(shown[0], printed[0]) and all_as_shown(shown[1:], printed[1:])


# ---- tables that are made from the sources -------------------------------------------------------


def tables() -> dict[str, str]:
    """Each generated table by the name of its marks."""
    verbs = {one.name for one in VERBS}
    own = [command for command in TABLE if not verbs.intersection(names(command))]
    others = " ".join(f"`/{command.name}`" for command in TABLE if command not in own)
    return {
        "verbs": _table(
            "verb | does | in the app", [(f"`{x.name}`", x.help, _typed(x.name)) for x in VERBS]
        ),
        "exits": _table("exit | means", [(str(k), text) for k, text in EXIT_CODES.items()]),
        "slash": _table(
            "command | does",
            [(others, AS_VERBS), *((f"`{command.usage}`", _told(command)) for command in own)],
        ),
        "settings": _table(
            "key | what | default",
            [(f"`{one.key}`", _taken(one), _shown(one.default)) for one in OPTIONS],
        ),
        "keys": _table("key | does | name in `[keys]`", _keys()),
    }


def names(command: Command) -> tuple[str, ...]:
    """All that may stand after the slash."""
    return command.name, *command.aliases


def _typed(verb: str) -> str:
    """The slash command that is called like a verb."""
    found = next((one for one in TABLE if verb in names(one)), None)
    return "" if found is None else f"`{found.usage}`"


AS_VERBS = "what the verbs of these names do, listed in the next chapter"
# Rows of which two make one: what goes on, and back.
PAIRS = {
    "complete": "complete_back",
    "next_chat": "previous_chat",
    "page_up": "page_down",
    "top": "bottom",
    "previous_mention": "next_mention",
    "chats_pane": "members_pane",
}


def _keys() -> list[tuple[str, ...]]:
    """The keys; the ten chats by number in one row, and so are pairs."""
    of = {one.action: one for one in KEYS}
    rows: list[tuple[str, ...]] = []
    for key in KEYS:
        if key.action == "chat_1":
            rows.append(("Alt+1 … Alt+0", "chat by its number", "`chat_1` … `chat_10`"))
        elif not key.action.startswith("chat_") and key.action not in PAIRS.values():
            both = [key, of[PAIRS[key.action]]] if key.action in PAIRS else [key]
            chords = "; ".join(", ".join(map(spelled, one.keys)) for one in both)
            does = "; ".join(one.help for one in both)
            rows.append((chords, does, ", ".join(f"`{one.action}`" for one in both)))
    return rows


def _taken(option: Option) -> str:
    """What an option is for, and the values it takes where that does not say them."""
    if not option.view or not option.choices:
        return option.help
    return f"{option.help} ({', '.join(f'`{one}`' for one in option.choices)})"


def _told(command: Command) -> str:
    also = ", ".join(f"`/{alias}`" for alias in command.aliases)
    return f"{command.help} (also {also})" if also else command.help


def _shown(default: object) -> str:
    return "" if default in ("", ()) else f"`{default}`"


def _table(head: str, rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {head} |", "|---" * len(rows[0]) + "|"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def between(text: str, name: str) -> str:
    """What stands between the marks of a table."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", text, re.DOTALL)
    assert found, f"README.md has no marks <!-- {name} --> ... <!-- /{name} -->"
    return found[1]


def written(text: str) -> str:
    """README.md with every generated table as the sources have it now."""
    for name, table in tables().items():
        mark, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        text = text.replace(f"{mark}{between(text, name)}\n{end}", f"{mark}{table}\n{end}")
        text = text.replace(f"{mark}{end}", f"{mark}{table}\n{end}")
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text("utf-8")), "utf-8")
