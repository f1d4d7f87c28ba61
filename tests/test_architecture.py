"""The house rules that a machine can watch over: who may import whom, and what sources look like.

Each rule is a row or a small function from parsed sources to complaints, and each has a planted
breach below that it must find; a rule that finds nothing anywhere would look just like a kept one.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent

FUNCTION_LINES_MAX = 50
FILE_LINES_MAX = 500


class Source(Struct, frozen=True):
    """One file: its path from the top of the checkout, its dotted name, its text and its tree."""

    path: PurePosixPath
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        is_package = self.path.name == "__init__.py"
        return self.module if is_package else self.module.rpartition(".")[0]


def parse(path: str, text: str) -> Source:
    return Source(PurePosixPath(path), text, ast.parse(text, path))


@cache
def sources_under(*tops: str) -> list[Source]:
    """Every Python file below the given directories; one that does not exist has none."""
    files = sorted(file for top in tops for file in (ROOT / top).rglob("*.py"))
    return [parse(file.relative_to(ROOT).as_posix(), file.read_text("utf-8")) for file in files]


def imports_of(source: Source) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that is imported, wherever in the file, late imports included.

    `from a.b import c` counts as `a.b.c`, whether c is a module or a name in one.
    """
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                above = source.package.split(".")
                above = above[: len(above) - node.level + 1]
                origin = ".".join([*above, origin] if origin else above)
            for alias in node.names:
                yield node.lineno, origin if alias.name == "*" else f"{origin}.{alias.name}"


def within(name: str, places: frozenset[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


# --- who may import whom ---------------------------------------------------------------------


class ImportRule(Struct, frozen=True):
    """Modules in `who` (without those in `except_who`) import `only` these, and `never` those.

    `but` takes names out of `never`. `only=None` allows everything that is not forbidden.
    """

    why: str
    who: frozenset[str]
    except_who: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    never: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()

    def complaints(self, source: Source) -> Iterator[str]:
        if not within(source.module, self.who) or within(source.module, self.except_who):
            return
        for line, name in imports_of(source):
            foreign = self.only is not None and not within(name, self.only)
            forbidden = within(name, self.never) and not within(name, self.but)
            if foreign or forbidden:
                yield f"{source.path}:{line} imports {name}: {self.why}"


def names(words: str, prefix: str = "") -> frozenset[str]:
    return frozenset(prefix + word for word in words.split())


LIBRARY = frozenset(sys.stdlib_module_names)
# What a core without IO, clock, thread and chance may take from the library.
PURE_LIBRARY = names(
    "__future__ bisect collections enum functools hashlib heapq itertools math msgspec"
    " operator random struct typing"
)
WIRE = names("google grpc grpc_health grpc_reflection grpc_status p2pchat")
CORE_FACTS = names(
    "types access clock conversation deciding messages reasons timing sums runs marks", "node.core."
)
CORE_WORDS = CORE_FACTS | names("events effects errors", "node.core.")
CORE_PARTS = names(
    "causal changes history gaps outbox membership liveness election calls guessing",
    "node.core.",
)
NODE_WIRE = names("codec rpc service peers discovery control host cli.client", "node.")
NDS_WIRE = names("certificates service server", "nds.")

IMPORT_RULES = [
    ImportRule(
        "the core does no IO and knows no clock, thread, logger or loop",
        who=names("node.core"),
        only=PURE_LIBRARY | names("node.core"),
    ),
    ImportRule(
        "the words of the core know none of its parts",
        who=CORE_WORDS,
        only=PURE_LIBRARY | CORE_WORDS,
    ),
    *(
        ImportRule(
            "a part of the core holds facts and knows no other part",
            who=frozenset({part}),
            only=PURE_LIBRARY | CORE_FACTS | {part},
        )
        for part in sorted(CORE_PARTS)
    ),
    ImportRule(
        "the runner knows the core and the loop, and nothing that speaks gRPC",
        who=names("node.runner"),
        only=LIBRARY | names("msgspec node"),
        never=NODE_WIRE | names("node.cli"),
    ),
    ImportRule(
        "few files speak gRPC",
        who=names("nds node"),
        except_who=NODE_WIRE | NDS_WIRE,
        never=WIRE,
    ),
    ImportRule(
        "one place owns the terminal",
        who=names("nds node"),
        except_who=names("node.cli.app"),
        never=names("prompt_toolkit"),
    ),
    ImportRule(
        "the app speaks to its node through the control client alone",
        who=names("node.cli.app"),
        never=names("node"),
        but=names("node.cli node.config node.errors node.words node.happenings"),
    ),
    ImportRule(
        "state, commands, drawing and keys are pure",
        who=names("model commands render keys", "node.cli."),
        never=names(
            "asyncio logging os random select signal socket subprocess sys threading time"
            " node.cli.client"
        ),
    ),
    ImportRule(
        "settings and what they may be are below the faces",
        who=names("node.config node.options"),
        never=names("node.cli"),
    ),
    ImportRule(
        "what a face knows stands on the node's words alone",
        who=names("node.cli.model"),
        only=PURE_LIBRARY | names("node.cli.model node.faults node.happenings node.words"),
    ),
    ImportRule(
        "what a face knows, and what may happen to it, know nothing of what reduces them",
        who=names("values events", "node.cli.model."),
        only=PURE_LIBRARY | names("node.cli.model.values node.faults node.happenings node.words"),
    ),
    ImportRule(
        "drawing knows the state, and nothing of what is typed or asked",
        who=names("node.cli.render"),
        only=PURE_LIBRARY
        | names("datetime json re unicodedata wcwidth")
        | names("node.cli.model node.cli.render node.core.types node.errors")
        | names("node.faults node.happenings node.words"),
    ),
    ImportRule(
        "commands know the state and clean text, and perform nothing",
        who=names("node.cli.commands"),
        never=names("node.cli"),
        but=names("node.cli.commands node.cli.model node.cli.render.text"),
    ),
    ImportRule(
        "the keys know nothing but themselves",
        who=names("node.cli.keys"),
        never=names("node"),
        but=names("node.cli.keys node.errors"),
    ),
    ImportRule(
        "nothing stands on the app but the verbs that open it",
        who=names("node"),
        except_who=names("app demo verbs_ui", "node.cli."),
        never=names("node.cli.app"),
    ),
    ImportRule(
        "the decisions of the discovery service are pure",
        who=names("nds.record"),
        never=names("asyncio logging os random socket sqlite3 sys threading time nds"),
        but=names("nds.errors nds.record"),
    ),
    ImportRule("the two programs share only protos", who=names("nds"), never=names("node tests")),
    ImportRule("the two programs share only protos", who=names("node"), never=names("nds tests")),
    ImportRule(
        "of the discovery service the simulator takes the decisions alone",
        who=names("tests.sim"),
        never=names("nds"),
        but=names("nds.errors nds.record"),
    ),
]


def import_complaints(sources: list[Source]) -> list[str]:
    return [said for source in sources for rule in IMPORT_RULES for said in rule.complaints(source)]


# --- what sources look like ------------------------------------------------------------------

# Calls that are IO, or that answer differently in another process (hash of a text, id).
IMPURE_CALLS = names("__import__ breakpoint eval exec hash id input open print")


def in_core(source: Source) -> bool:
    return within(source.module, names("node.core"))


def impure_core(source: Source) -> Iterator[str]:
    """In the core, print and its like, and any use of the random module but the type Random."""
    if not in_core(source):
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                yield f"{source.path}:{node.lineno} calls {name}()"
            case ast.Attribute(value=ast.Name(id="random"), attr=name) if name != "Random":
                yield f"{source.path}:{node.lineno} uses random.{name}; chance is handed in"
            case ast.ImportFrom(module="random"):
                for alias in node.names:
                    if alias.name != "Random":
                        yield f"{source.path}:{node.lineno} imports random.{alias.name}"


def long_functions(source: Source) -> Iterator[str]:
    """In the core, functions that do not fit a screen."""
    if not in_core(source):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{source.path}:{node.lineno} {node.name} has {lines} lines"


def long_file(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > FILE_LINES_MAX:
        yield f"{source.path} has {lines} lines"


def missing_docstring(source: Source) -> Iterator[str]:
    if not ast.get_docstring(source.tree):
        yield f"{source.path} does not say what it is for"


def unfinished_work(source: Source) -> Iterator[str]:
    for line, text in enumerate(source.text.splitlines(), 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b", text):
            yield f"{source.path}:{line} is unfinished: {text.strip()}"


def swallowed_errors(source: Source) -> Iterator[str]:
    """Bare excepts, and all exceptions caught only to be forgotten."""
    for node in ast.walk(source.tree):
        match node:
            case ast.ExceptHandler(type=None):
                yield f"{source.path}:{node.lineno} bare except"
            case ast.ExceptHandler(type=caught, body=body) if (
                caught is not None and names_everything(caught) and all(map(is_nothing, body))
            ):
                yield f"{source.path}:{node.lineno} forgets every exception"
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress")) if any(
                map(names_everything, node.args)
            ):
                yield f"{source.path}:{node.lineno} suppresses every exception"


def names_everything(caught: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"}
        for node in ast.walk(caught)
    )


def is_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Continue() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Return(value=None | ast.Constant(value=None)):
            return True
        case _:
            return False


def unexplained_exceptions(source: Source) -> Iterator[str]:
    """Rules of the linter that are set aside without a word why."""
    for line, text in enumerate(source.text.splitlines(), 1):
        for said in re.findall(r"# (?:ruff: )?noqa\b(.*)", text):
            if not re.fullmatch(r": [A-Z]+\d+(, [A-Z]+\d+)*(  | - | )[A-Za-z].*", said):
                yield f"{source.path}:{line} does not say why"


STYLE_RULES: list[Callable[[Source], Iterator[str]]] = [
    impure_core,
    long_functions,
    long_file,
    missing_docstring,
    unfinished_work,
    swallowed_errors,
    unexplained_exceptions,
]

# --- a test file per source file -------------------------------------------------------------

# Files of these names hold words and no behaviour, or are tried through the programs they start.
WITHOUT_A_TEST = names("__init__ __main__ effects errors events messages reasons timing types")
# The directory of tests that mirrors a package; the longest that fits counts.
MIRRORS = {
    "node.core": "tests/core",
    "node.cli": "tests/cli",
    "node": "tests/node",
    "nds": "tests/nds",
}


def mirrors_of(source: Source) -> list[str]:
    """Where the tests of a file may be: for nds/store/sqlite.py in tests/nds as test_sqlite.py,
    as store/test_sqlite.py, as test_store_sqlite.py, or in the test_store.py of its package.
    """
    package = max((p for p in MIRRORS if within(source.module, frozenset({p}))), key=len)
    *below, name = source.module.removeprefix(f"{package}.").split(".")
    files = [f"test_{name}.py"]
    if below:
        files += ["/".join([*below, files[0]]), f"test_{'_'.join([*below, name])}.py"]
        files += [f"test_{'_'.join(below)}.py"]
    return [f"{MIRRORS[package]}/{file}" for file in files]


def untested(sources: list[Source], tests: list[Source]) -> list[str]:
    """Source files with no test file of their own that no test file's docstring takes on."""
    existing = {test.path.as_posix() for test in tests}
    mentions = "\n".join(ast.get_docstring(test.tree) or "" for test in tests)
    return [
        f"{source.path} has no {mirrors_of(source)[0]}, and no test's docstring names it"
        for source in sources
        if source.path.stem not in WITHOUT_A_TEST
        and existing.isdisjoint(mirrors_of(source))
        and source.path.as_posix() not in mentions
    ]


# --- the tests -------------------------------------------------------------------------------


READS_ALL = pytest.mark.xdist_group("sources")  # in one process, which parses them once


@READS_ALL
def test_every_import_keeps_the_rules() -> None:
    complaints = import_complaints(sources_under("nds", "node", "tests/sim"))
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("rule", STYLE_RULES, ids=lambda rule: rule.__name__)
@READS_ALL
def test_every_source_keeps(rule: Callable[[Source], Iterator[str]]) -> None:
    complaints = [said for source in sources_under("nds", "node") for said in rule(source)]
    assert not complaints, "\n".join(complaints)


@READS_ALL
def test_every_test_says_why_it_sets_a_rule_of_the_linter_aside() -> None:
    sources = [one for one in sources_under("tests") if one.path.name != "test_architecture.py"]
    complaints = [said for source in sources for said in unexplained_exceptions(source)]
    assert not complaints, "\n".join(complaints)


@READS_ALL
def test_every_source_file_has_its_test_file() -> None:
    complaints = untested(sources_under("nds", "node"), sources_under("tests"))
    assert not complaints, "\n".join(complaints)


def test_every_part_of_the_core_has_a_row_under_its_own_name() -> None:
    who = [rule.who for rule in IMPORT_RULES]
    assert all(frozenset({part}) in who for part in CORE_PARTS)


@pytest.mark.parametrize(
    ("path", "breach"),
    [
        ("node/core/group.py", "import asyncio"),
        ("node/core/group.py", "import time"),
        ("node/core/group.py", "from logging import getLogger"),
        ("node/core/group.py", "from node import codec"),
        ("node/core/group.py", "from ..archive import Log"),
        ("node/core/flows/join.py", "from ... import runner"),
        ("node/core/__init__.py", "from ..runner import Runner"),
        ("node/core/group.py", "def late():\n    import grpc"),
        ("node/core/types.py", "from node.core.causal import Heads"),
        ("node/core/events.py", "from .group import Group"),
        ("node/core/causal.py", "from node.core.history import History"),
        ("node/core/causal.py", "from node.core import history"),
        ("node/core/causal.py", "from . import group"),
        ("node/core/outbox.py", "from node.core.effects import Send"),
        ("node/core/clock.py", "from node.core import Group"),
        ("node/runner.py", "import grpc"),
        ("node/runner.py", "from node.peers import Peers"),
        ("node/runner.py", "import cryptography"),
        ("node/archive.py", "import grpc.aio"),
        ("node/archive.py", "from p2pchat.v1 import node_pb2"),
        ("node/cli/verbs.py", "from p2pchat.v1 import control_pb2"),
        ("node/cli/line.py", "from grpc_status import rpc_status"),
        ("nds/record.py", "from google.protobuf import any_pb2"),
        ("nds/store/sqlite.py", "import grpc"),
        ("node/cli/line.py", "import prompt_toolkit"),
        ("node/cli/render.py", "from prompt_toolkit.layout import Window"),
        ("nds/server.py", "import prompt_toolkit"),
        ("node/cli/app.py", "from node.core.types import ChatId"),
        ("node/cli/app.py", "from node import host"),
        ("node/cli/app/watching.py", "from ...tasks import Tasks"),
        ("node/cli/app/terminal.py", "from ...profile import load"),
        ("node/cli/model.py", "import asyncio"),
        ("node/cli/commands.py", "from .client import Client"),
        ("node/config.py", "def late():\n    from .cli.keys import bindings"),
        ("node/options.py", "from .cli.commands import alias_fault"),
        ("node/cli/model/reduce.py", "from ..render.text import clean"),
        ("node/cli/model/reduce.py", "from ...core.types import small"),
        ("node/cli/model/values.py", "from .transcript import merged"),
        ("node/cli/model/values.py", "from .events import Event"),
        ("node/cli/model/events.py", "from .places import place_of"),
        ("node/cli/render/bar.py", "from time import time_ns"),
        ("node/cli/render/bar.py", "import locale"),
        ("node/cli/render/bar.py", "from ...core.group import Group"),
        ("node/cli/render/tables.py", "from ...codec import encode"),
        ("node/cli/render/pages.py", "from ..commands import plain"),
        ("node/cli/render/pages.py", "from ..queries import fetch"),
        ("node/cli/commands/asking.py", "from ..queries import ask"),
        ("node/cli/commands/topics.py", "from ..render import notices"),
        ("node/cli/commands/table.py", "from ..keys import TABLE"),
        ("node/cli/keys.py", "from .commands import TABLE"),
        ("node/cli/line.py", "from .app import Setup"),
        ("node/host/hub.py", "from ..cli.app import run"),
        ("nds/record.py", "import time"),
        ("nds/record.py", "from nds.store import memory"),
        ("nds/service.py", "from node.codec import encode"),
        ("node/host.py", "import nds.server"),
        ("node/host.py", "from tests.sim import world"),
        ("tests/sim/world.py", "from nds.store.memory import Memory"),
    ],
)
def test_a_forbidden_import_is_found(path: str, breach: str) -> None:
    assert import_complaints([parse(path, breach)])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("node/core/group.py", "from node.core.causal import Heads\nimport heapq, random"),
        (
            "node/core/group.py",
            "from . import causal, effects\nfrom collections.abc import Iterable",
        ),
        ("node/core/flows/join.py", "from ..membership import Roster\nfrom ..effects import Send"),
        ("node/core/causal.py", "from node.core import types\nfrom .messages import Chat"),
        ("node/core/election/rounds.py", "from node.core.election import votes"),
        ("node/core/effects.py", "from node.core.messages import Chat"),
        (
            "node/runner.py",
            "import asyncio\nfrom node.core import Group\nfrom node.archive import Log",
        ),
        ("node/peers.py", "import grpc\nfrom p2pchat.v1 import node_pb2_grpc"),
        ("node/cli/client.py", "from p2pchat.v1 import control_pb2_grpc\nimport grpc"),
        ("node/cli/app.py", "import prompt_toolkit\nfrom node.cli import model, client"),
        ("node/cli/app/screen.py", "from prompt_toolkit import Application"),
        ("node/cli/model/reduce.py", "from ...words import Line\nfrom .values import State"),
        ("node/cli/render/bar.py", "from ..model import State\nfrom ...core.types import small"),
        ("node/cli/render/text.py", "from wcwidth import wcwidth\nimport unicodedata, re"),
        ("node/cli/render/tables.py", "from ... import errors, words\nfrom . import records"),
        ("node/cli/commands/chats.py", "from ..render.text import clean_name"),
        ("node/cli/verbs_ui.py", "from .app import Setup, run"),
        (
            "node/cli/app/watching.py",
            "from ...words import Line\nfrom ...happenings import Happening",
        ),
        ("nds/record.py", "from nds.errors import Refused\nfrom msgspec.structs import replace"),
        ("nds/server.py", "from grpc_health.v1 import health"),
        ("tests/sim/world.py", "from nds.record import claim\nfrom node.core import Group"),
    ],
)
def test_an_allowed_import_is_let_through(path: str, text: str) -> None:
    assert import_complaints([parse(path, text)]) == []


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (impure_core, "node/core/group.py", "print(1)"),
        (impure_core, "node/core/group.py", "open('log')"),
        (impure_core, "node/core/group.py", "key = hash('bob')"),
        (impure_core, "node/core/group.py", "import random\nrandom.random()"),
        (impure_core, "node/core/group.py", "from random import choice"),
        (long_functions, "node/core/group.py", "def f():\n" + "    f()\n" * 50),
        (long_functions, "node/core/group.py", "class A:\n  async def f():\n" + "    f()\n" * 50),
        (long_file, "nds/service.py", "x = 1\n" * 501),
        (long_file, "node/core/group.py", "\n" * 501),
        (missing_docstring, "nds/service.py", "import grpc"),
        (unfinished_work, "nds/service.py", "x = 1  # TO" + "DO: more"),
        (unfinished_work, "node/core/group.py", "# FIX" + "ME"),
        (swallowed_errors, "node/host.py", "try:\n  f()\nexcept:\n  raise"),
        (swallowed_errors, "node/host.py", "try:\n  f()\nexcept Exception:\n  pass"),
        (swallowed_errors, "node/host.py", "try:\n  f()\nexcept (OSError, BaseException):\n  ..."),
        (
            swallowed_errors,
            "node/host.py",
            "while f():\n try:\n  f()\n except Exception:\n  continue",
        ),
        (swallowed_errors, "node/host.py", "with contextlib.suppress(Exception):\n  f()"),
        (unexplained_exceptions, "node/host.py", "f()  # " + "noqa"),
        (unexplained_exceptions, "node/host.py", "f()  # " + "noqa: S603"),
        (unexplained_exceptions, "node/host.py", "# ruff: " + "noqa: D103"),
    ],
)
def test_a_breach_of_style_is_found(
    rule: Callable[[Source], Iterator[str]], path: str, text: str
) -> None:
    assert list(rule(parse(path, text)))


@pytest.mark.parametrize("rule", STYLE_RULES, ids=lambda rule: rule.__name__)
def test_good_style_is_let_through(rule: Callable[[Source], Iterator[str]]) -> None:
    text = (
        '"""What it is for."""\n'
        "from random import Random\n"
        "def f(chance: Random) -> None:\n"
        + "    f(chance)\n"
        * 49
        + "try:\n  f(Random(1))\nexcept OSError:\n  pass\n"
        "try:\n  f(Random(1))\nexcept Exception as error:\n  report(error)\n"
        "f('0.0.0.0')  # noqa: S104  nothing listens there\n"
    )
    assert list(rule(parse("node/core/group.py", text))) == []


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("nds/record.py", "tests/nds/test_record.py"),
        ("nds/store/sqlite.py", "tests/nds/test_sqlite.py"),
        ("nds/store/sqlite.py", "tests/nds/store/test_sqlite.py"),
        ("nds/store/sqlite.py", "tests/nds/test_store.py"),
        ("node/core/causal.py", "tests/core/test_causal.py"),
        ("node/peers.py", "tests/node/test_peers.py"),
        ("node/cli/render.py", "tests/cli/test_render.py"),
    ],
)
def test_a_source_file_is_untested_until_its_test_file_is_there(source: str, test: str) -> None:
    elsewhere = parse("tests/other/test_nothing.py", '"""Nothing."""')
    assert untested([parse(source, "")], [elsewhere])
    assert untested([parse(source, "")], [elsewhere, parse(test, "")]) == []


def test_a_docstring_may_take_on_another_source_file() -> None:
    test = parse("tests/node/test_host.py", '"""Tries node/host.py and node/spawn.py."""')
    assert untested([parse("node/spawn.py", "")], [test]) == []
    assert untested([parse("node/spark.py", "")], [test])
