"""What a face keeps: ui.json, and how it lies over the config."""

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from node import words as w
from node.cli import settings
from node.cli.keys import DEMO, bindings
from node.cli.model import State, reduce
from node.cli.model.events import (
    Aliased,
    Chose,
    Closed,
    Hinted,
    Ignored,
    Leveled,
    Muted,
    Selected,
    Told,
)
from node.cli.model.values import Level, Settings
from node.cli.settings import HINT, Keeper, Kept, base, load, save
from node.config import Config
from node.config import load as read_config
from node.errors import Unwritable
from node.options import SETTABLE
from node.places import Places, places

STATUS = w.Status(
    nick="alice",
    chats=tuple(w.Chat(name=name, chat_id=id) for id, name in enumerate(["dev", "ops", "lab"], 1)),
)
FULL = Kept(
    settings={"theme": "light", "notify_command": "say hello"},
    muted=(2, 2**63),
    levels={3: Level.NONE},
    closed=(1,),
    ignored=("mallory",),
    aliases={"w": "/whois", "gone": ""},
    current=3,
    hinted=True,
)


@pytest.fixture
def spot(tmp_path: Path) -> Places:
    found = places("alice", str(tmp_path), {})
    found.make()
    return found


Reader = Callable[[], Config]


def reader(spot: Places, text: str = "", **more: Any) -> Reader:
    spot.config.write_text(text, "utf-8")
    return lambda: read_config(spot, more.get("flags", {}), {}, more.get("environ", {}))


def keeper(spot: Places, text: str = "", **more: Any) -> Keeper:
    read = reader(spot, text, **more)
    return Keeper(spot, read(), read)


def restored(keeper: Keeper, status: w.Status = STATUS) -> State:
    """The state as a face has it after its start."""
    state = reduce(keeper.begin(), status)
    for event in keeper.restored():
        state = reduce(state, event)
    return state


# ---- the file ----------------------------------------------------------------------------------


def test_what_is_kept_comes_back(spot: Places) -> None:
    save(spot.ui, FULL)
    assert load(spot.ui) == (FULL, ())
    assert stat.S_IMODE(spot.ui.stat().st_mode) == 0o600
    assert [one.name for one in spot.ui.parent.iterdir() if "ui.json" in one.name] == ["ui.json"]


def test_no_file_is_nothing_kept_and_no_complaint(spot: Places) -> None:
    assert load(spot.ui) == (Kept(), ())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff\xfe", "can't decode byte"),
        (b"[1]", "it is damaged"),
        (b"{}", "it is damaged"),
        (b'{"version": "1"}', "it is damaged"),
        (b'{"version": 2}', "a newer p2pchat wrote it"),
        (b"[" * 100_000, "it nests too deep"),
    ],
)
def test_a_file_that_is_not_understood_is_told_of_and_put_aside_by_the_next_change(
    spot: Places, content: bytes, why: str
) -> None:
    spot.ui.write_bytes(content)
    kept, (said,) = load(spot.ui)
    assert kept == Kept()
    assert said.startswith(f"{spot.ui}: ")
    assert why in said
    save(spot.ui, FULL)
    assert load(spot.ui) == (FULL, ())
    assert spot.ui.with_name("ui.json.aside").read_bytes() == content


def test_a_file_that_cannot_be_read_is_told_of(spot: Places) -> None:
    spot.ui.mkdir()
    kept, (said,) = load(spot.ui)
    assert kept == Kept()
    assert "Is a directory" in said
    with pytest.raises(Unwritable):
        save(spot.ui, FULL)


@pytest.mark.parametrize(
    ("key", "value", "kept", "why"),
    [
        ("settings", {"theme": "pink", "bell": "off"}, {"bell": "off"}, "settings.theme"),
        ("settings", {"listen": "a:1"}, {}, "settings.listen': there is no such setting"),
        ("settings", {"bell": 5}, {}, "its values must be texts"),
        ("settings", 5, {}, "must be a table"),
        ("muted", ["0000000000000007", "x", 5], (7,), "'x' is no chat"),
        ("muted", 5, (), "must be a text, not 5"),
        ("muted", ["zzzzzzzzzzzzzzzz", "-000000000000007"], (), "'-000000000000007' is no chat"),
        ("closed", None, (), "closed"),
        ("levels", {"0000000000000007": "some"}, {}, "levels.0000000000000007"),
        ("levels", {"x": "none"}, {}, "levels.x"),
        ("ignored", ["Bob", "a b"], ("bob",), "ignored"),
        ("aliases", {"names": "/who", "w": "/whois"}, {"w": "/whois"}, "aliases.names"),
        ("current", "x", 0, "current"),
        ("hinted", "yes", False, ""),
    ],
)
def test_an_entry_that_is_wrong_is_told_of_and_left_out(
    spot: Places, key: str, value: object, kept: object, why: str
) -> None:
    spot.ui.write_text(json.dumps({"version": 1, key: value}), "utf-8")
    found, complaints = load(spot.ui)
    assert getattr(found, key) == kept
    assert replace(found, **{key: getattr(Kept(), key)}) == Kept()
    assert why in "\n".join(complaints)
    assert len(complaints) >= bool(why)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    texts = st.text(max_size=16)
    return inner | st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)


JSON = nested(nested(st.none() | st.booleans() | st.integers() | st.text(max_size=16)))


@given(st.dictionaries(st.sampled_from([one.name for one in fields(Kept)]), JSON))
def test_whatever_the_file_holds_nothing_breaks(table: dict[str, Any]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "ui.json"
        file.write_text(json.dumps({"version": 1} | table), "utf-8")
        kept, _ = load(file)
        save(file, kept)
        assert load(file) == (kept, ()), "what was read can be written and read again"


def test_a_disk_that_refuses_is_a_complaint(spot: Places) -> None:
    with pytest.raises(Unwritable):
        save(spot.ui.parent / "not there" / "ui.json", FULL)


# ---- a face ------------------------------------------------------------------------------------


def test_every_setting_is_an_option_that_can_be_set_with_the_same_default() -> None:
    assert {one.name: one.default for one in fields(Settings)} == {
        option.key: option.default for option in SETTABLE
    }


def test_a_face_begins_as_the_last_one_ended(spot: Places) -> None:
    first = keeper(spot, '[alias]\nhi = "hello all"\nbrb = "back soon"')
    state = restored(first)
    assert state.hint == HINT
    assert state.aliases == (("brb", "back soon"), ("hi", "hello all"))
    for event in (
        Chose(replace(state.settings, theme="mono", mouse="on")),
        Muted(2, True),
        Leveled(3, Level.MENTIONS),
        Ignored("Mallory", True),
        Aliased("w", "/whois"),
        Aliased("brb", ""),
        Selected(2),
        Closed(3),
        Hinted(""),
    ):
        state = reduce(state, event)
    first.save(state)
    assert load(spot.ui)[0].aliases == {"w": "/whois", "brb": ""}, "the config's own is not kept"
    again = restored(keeper(spot, '[alias]\nhi = "hello all"\nbrb = "back soon"'))
    assert again.settings == state.settings
    assert again.aliases == (("hi", "hello all"), ("w", "/whois"))
    assert (again.ignored, again.current, again.hint) == (("mallory",), 2, "")
    assert [(v.name, v.muted, v.level, v.closed) for v in again.views] == [
        ("dev", False, Level.ALL, False),
        ("ops", True, Level.ALL, False),
        ("lab", False, Level.MENTIONS, True),
    ]


def test_who_closes_every_chat_finds_them_closed(spot: Places) -> None:
    first = keeper(spot)
    state = reduce(restored(first), Selected(2))
    first.save(state)
    for chat_id in (1, 2, 3):
        state = reduce(state, Closed(chat_id))
    first.save(state)
    again = restored(keeper(spot))
    assert (again.current, again.listed) == (0, ())


def test_nothing_of_a_transient_chat_is_kept(spot: Places) -> None:
    first = keeper(spot)
    status = replace(
        STATUS, chats=(replace(STATUS.chats[0], mode=w.Mode.TRANSIENT), *STATUS.chats[1:])
    )
    state = reduce(first.begin(), status)
    for event in (Muted(1, True), Leveled(1, Level.NONE), Ignored("casper", True), Selected(2)):
        state = reduce(state, event)
    first.save(state)
    for event in (Selected(1), Closed(3), Aliased("x", "/help")):
        state = reduce(state, event)
    first.save(reduce(state, Closed(1)))
    kept, _ = load(spot.ui)
    assert (kept.muted, kept.levels, kept.closed, kept.ignored) == ((), {}, (3,), ())
    assert dict(kept.aliases) == {"x": "/help"}
    first.save(reduce(state, STATUS))
    assert "casper" not in spot.ui.read_text("utf-8"), "it is not kept later either"


def test_before_the_chats_are_known_the_one_in_front_stays_kept(spot: Places) -> None:
    first = keeper(spot)
    first.save(reduce(restored(first), Selected(2)))
    again = keeper(spot)
    again.save(reduce(again.begin(), Ignored("mallory", True)))
    assert load(spot.ui)[0].current == 2


def test_who_saves_while_another_does_saves_after_it(
    spot: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, began, goes_on = keeper(spot), Event(), Event()

    def slow(file: Path, kept: Kept) -> None:
        if not began.is_set():
            began.set()
            assert goes_on.wait(10)
        save(file, kept)

    monkeypatch.setattr(settings, "save", slow)
    state = restored(first)
    with ThreadPoolExecutor(2) as threads:
        earlier = threads.submit(first.save, reduce(state, Muted(1, True)))
        assert began.wait(10)
        later = threads.submit(first.save, reduce(state, Muted(2, True)))
        with pytest.raises(TimeoutError):
            later.result(0.05)
        goes_on.set()
        earlier.result(10)
        later.result(10)
    assert load(spot.ui)[0].muted == (2,)


def test_only_what_differs_from_the_config_is_kept(spot: Places) -> None:
    first = keeper(spot, 'theme = "light"\nbell = false')
    state = restored(first)
    assert (state.settings.theme, state.settings.bell) == ("light", "off")
    first.save(reduce(state, Chose(replace(state.settings, mouse="on"))))
    assert load(spot.ui)[0].settings == {"mouse": "on"}
    assert restored(keeper(spot, 'theme = "mono"')).settings == Settings(theme="mono", mouse="on")


@pytest.mark.parametrize(
    "given",
    [{"flags": {"theme": "mono"}}, {"environ": {"P2PCHAT_THEME": "mono"}}],
    ids=["flag", "environment"],
)
def test_what_is_said_for_this_run_stands_above_what_was_kept_and_leaves_it(
    spot: Places, given: dict[str, Any]
) -> None:
    save(spot.ui, Kept(settings={"theme": "light"}))
    now = keeper(spot, 'theme = "high-contrast"', **given)
    state = restored(now)
    assert state.settings.theme == "mono"
    now.save(reduce(state, Muted(1, True)))
    assert load(spot.ui)[0].settings == {"theme": "light"}
    assert restored(keeper(spot, 'theme = "high-contrast"')).settings.theme == "light"


def test_what_was_kept_of_a_chat_that_is_not_there_just_now_stays(spot: Places) -> None:
    save(spot.ui, FULL)
    few = replace(STATUS, chats=STATUS.chats[:1])
    now = keeper(spot)
    now.save(reduce(restored(now, few), Muted(1, True)))
    kept, _ = load(spot.ui)
    assert kept.muted == (1, 2, 2**63)
    assert kept.levels == {3: Level.NONE}
    assert kept.closed == (1,)


def test_nothing_is_written_where_nothing_has_changed(spot: Places) -> None:
    now = keeper(spot)
    state = restored(now)
    now.save(state)
    before = spot.ui.stat().st_ino
    now.save(reduce(state, Hinted(HINT)))
    assert spot.ui.stat().st_ino == before
    now.save(reduce(state, Selected(3)))
    assert spot.ui.stat().st_ino != before


def test_reload_brings_a_face_to_what_the_files_say_now(spot: Places) -> None:
    now = keeper(spot, '[alias]\nhi = "hello"')
    state = restored(now)
    for event in (
        Ignored("bob", True),
        Muted(2, True),
        Aliased("w", "/who"),
        Leveled(1, Level.NONE),
    ):
        state = reduce(state, event)
    spot.config.write_text('theme = "mono"\n[alias]\nyo = "hey"\n[keys]\nhelp = "f5"\n', "utf-8")
    save(spot.ui, Kept(muted=(3,), ignored=("mallory",)))
    for event in now.reload(state):
        state = reduce(state, event)
    assert state.settings == Settings(theme="mono")
    assert state.aliases == (("yo", "hey"),)
    assert state.ignored == ("mallory",)
    assert [(view.muted, view.level) for view in state.views] == [
        (False, Level.ALL),
        (False, Level.ALL),
        (True, Level.ALL),
    ]
    assert now.keys == bindings({"help": "f5"}, DEMO)[0]


def test_reload_says_what_is_wrong_with_the_files(spot: Places) -> None:
    now = keeper(spot)
    state = restored(now)
    spot.config.write_text('theme = "pink"\n[keys]\nhelp = "ctrl+z"', "utf-8")
    spot.ui.write_text("{", "utf-8")
    told = [event for event in now.reload(state) if isinstance(event, Told)]
    assert len(told) == 1
    assert [line.split(":")[0] for line in told[0].lines] == [
        f"{spot.config} line 1",
        f"{spot.config} line 3",
        f"{spot.ui}",
    ]
    assert now.complaints == told[0].lines[1:]


def test_the_base_is_what_the_config_says(spot: Places) -> None:
    config = reader(spot, 'seconds = "off"')()
    assert base(config) == Settings(seconds="off")
