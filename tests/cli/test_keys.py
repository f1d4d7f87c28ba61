"""The keys: their table, what people may write in [keys], and how they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.key_binding import KeyBindings

from node.cli.keys import DEMO, TABLE, Chord, Fault, bindings, chord, shown, spelled

USUAL = {one.action: one.keys for one in TABLE}


def taken(keys: Chord) -> bool:
    """Whether prompt_toolkit can bind it."""
    try:
        KeyBindings().add(*keys)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "keys", "shown"),
    [
        ("ctrl+n", ("c-n",), "Ctrl+N"),
        ("Control + N", ("c-n",), "Ctrl+N"),
        ("alt+a", ("escape", "a"), "Alt+A"),
        ("Alt+A", ("escape", "a"), "Alt+A"),
        ("alt+shift+a", ("escape", "A"), "Alt+Shift+A"),
        ("meta+1", ("escape", "1"), "Alt+1"),
        ("alt+=", ("escape", "="), "Alt+="),
        ("alt++", ("escape", "+"), "Alt++"),
        ("alt+-", ("escape", "-"), "Alt+-"),
        ("alt+right", ("escape", "right"), "Alt+Right"),
        ("ctrl+alt+n", ("escape", "c-n"), "Alt+Ctrl+N"),
        ("ctrl+left", ("c-left",), "Ctrl+Left"),
        ("ctrl+shift+pgdn", ("c-s-pagedown",), "Ctrl+Shift+PgDn"),
        ("shift+home", ("s-home",), "Shift+Home"),
        ("pageup", ("pageup",), "PgUp"),
        ("PgUp", ("pageup",), "PgUp"),
        ("tab", ("tab",), "Tab"),
        ("shift+tab", ("s-tab",), "Shift+Tab"),
        ("enter", ("enter",), "Enter"),
        ("alt+return", ("escape", "enter"), "Alt+Enter"),
        ("esc", ("escape",), "Esc"),
        ("f2", ("f2",), "F2"),
        ("F12", ("f12",), "F12"),
        ("ctrl+f5", ("c-f5",), "Ctrl+F5"),
        ("alt+f4", ("escape", "f4"), "Alt+F4"),
        ("ctrl+space", ("c-@",), "Ctrl+Space"),
        ("alt+space", ("escape", " "), "Alt+Space"),
        ("ctrl+_", ("c-_",), "Ctrl+_"),
        ("del", ("delete",), "Delete"),
        ("alt+ß", ("escape", "ß"), "Alt+ß"),
    ],
)
def test_keys_are_written_as_people_say_them(text: str, keys: Chord, shown: str) -> None:
    assert chord(text) == keys
    assert spelled(keys) == shown
    assert chord(shown) == keys, "what is shown can be written"
    assert taken(keys)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ctrl+x", "begins commands"),
        ("Ctrl+H", "is the backspace key"),
        ("ctrl+i", "is the tab key"),
        ("ctrl+m", "is the enter key"),
        ("ctrl+z", "would suspend the node"),
        ("ctrl+alt+z", "would suspend the node"),
        ("a", "could not be typed any more"),
        ("=", "could not be typed any more"),
        ("backspace", "no terminal has"),
        ("shift+a", "could not be typed any more"),
        ("space", "no terminal has"),
        ("ctrl+enter", "no terminal has"),
        ("ctrl+tab", "no terminal has"),
        ("shift+f1", "no terminal has"),
        ("ctrl+shift+n", "no terminal has"),
        ("ctrl+=", "no terminal has"),
        ("alt+shift+ß", "no terminal has"),
        ("alt+shift+1", "no terminal has"),
        ("f25", "no terminal has"),
        ("alt+[", "is how other keys begin"),
        ("alt+shift+o", "is how other keys begin"),
        ("alt+esc", "is how other keys begin"),
        ("", "is no key"),
        ("+", "could not be typed any more"),
        ("hyper+a", "is no key"),
        ("ctrl+ctrl+a", "is no key"),
        ("ctrl+a ctrl+b", "is no key"),
        ("c-n", "no terminal has"),
    ],
)
def test_what_is_no_key_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError) as told:
        chord(text)
    assert why in str(told.value)


@given(
    st.lists(st.sampled_from(["ctrl", "alt", "shift", "", "x"]), max_size=3),
    st.one_of(st.text(max_size=3), st.sampled_from(["pgup", "tab", "f3", "right", "space", "é"])),
)
def test_whatever_is_written_is_refused_or_a_key_of_the_terminal(held: list[str], key: str) -> None:
    try:
        found = chord("+".join([*held, key]))
    except ValueError:
        return
    assert taken(found)
    assert chord(spelled(found)) == found


def test_no_key_does_two_things_and_none_is_reserved() -> None:
    every = [keys for one in (*TABLE, *DEMO) for keys in one.keys]
    assert len(every) == len(set(every))
    for keys in every:
        assert chord(spelled(keys)) == keys
        assert taken(keys)


def test_without_a_table_the_keys_are_the_usual_ones() -> None:
    assert bindings({}) == (USUAL, ())
    assert bindings({}, DEMO)[0]["kill"] == (("f9",),)


@pytest.mark.parametrize(
    ("table", "changed"),
    [
        ({"next_chat": "ctrl+t"}, {"next_chat": (("c-t",),)}),
        (
            {"next_chat": ["ctrl+t", "f5", "ctrl+t"]},
            {"next_chat": (("c-t",), ("f5",))},
        ),
        ({"bare": []}, {"bare": ()}),
        (
            {"next_chat": "ctrl+p", "previous_chat": "ctrl+n"},
            {"next_chat": (("c-p",),), "previous_chat": (("c-n",),)},
        ),
        ({"help": [], "elections": "f1"}, {"help": (), "elections": (("f1",),)}),
        (
            {"send": "alt+enter", "newline": "enter"},
            {"send": (("escape", "enter"),), "newline": (("enter",),)},
        ),
    ],
)
def test_the_table_changes_what_it_names(table: dict[str, object], changed: object) -> None:
    assert bindings(table) == (USUAL | changed, ())  # type: ignore[operator]


@pytest.mark.parametrize(
    ("table", "faults"),
    [
        ({"next_caht": "f5"}, [("next_caht", "there is no such action. Did you mean next_chat")]),
        ({"next_chat": 5}, [("next_chat", "must be a key or a list of keys, not 5")]),
        ({"next_chat": ["f5", 6]}, [("next_chat", "must be a key or a list of keys")]),
        ({"next_chat": "ctrl+z"}, [("next_chat", "ctrl+z would suspend the node")]),
        ({"send": []}, [("send", "without a key nothing could be sent")]),
        ({"next_chat": "f1"}, [("next_chat", "F1 is the key of help already")]),
        ({"bare": "f5", "mouse": "f5"}, [("mouse", "F5 is the key of bare already")]),
        ({"mouse": "f5", "bare": "f5"}, [("bare", "F5 is the key of mouse already")]),
        (  # what is refused keeps its usual key, so that a third one cannot have it
            {"help": "f2", "notices": "f1"},
            [("help", "F2 is the key of elections"), ("notices", "F1 is the key of help")],
        ),
        ({"kill": "f5"}, [("kill", "there is no such action")]),
    ],
)
def test_a_mistake_is_told_and_the_usual_keys_stay(
    table: dict[str, object], faults: list[tuple[str, str]]
) -> None:
    bound, told = bindings(table)
    assert [fault.action for fault in told] == [action for action, _ in faults]
    for fault, (_, text) in zip(told, faults, strict=True):
        assert fault.text.startswith(text)
        assert bound.get(fault.action) == USUAL.get(fault.action)


WRITTEN = st.sampled_from(["f1", "f2", "f5", "ctrl+n", "ctrl+p", "alt+a", "ctrl+z", "x", "enter"])


@given(st.dictionaries(st.sampled_from([*USUAL, "no such"]), st.lists(WRITTEN, max_size=3)))
def test_whatever_the_table_holds_no_key_does_two_things(table: dict[str, list[str]]) -> None:
    bound, faults = bindings(table)
    every = [keys for chords in bound.values() for keys in chords]
    assert len(every) == len(set(every))
    assert set(bound) == set(USUAL)
    for action, wanted in table.items():
        refused = any(isinstance(fault, Fault) and fault.action == action for fault in faults)
        assert refused or bound[action] == tuple(dict.fromkeys(map(chord, wanted)))


def test_the_page_of_keys_has_its_groups_and_follows_what_is_bound() -> None:
    rows = shown(bindings({"help": ["f5", "alt+h"], "bare": []})[0])
    assert [row[0] for row in rows if len(row) == 1] == ["Typing", "Chats", "Reading", "Views"]
    assert ("Alt+1..9, 0", "chat by its number") in rows
    assert ("F5, Alt+H", "help") in rows
    assert not any("select it with the mouse" in row[-1] for row in rows)
    assert shown(bindings({}, DEMO)[0], DEMO)[-3:] == (
        ("Demo",),
        ("F9", "kill the leader"),
        ("F10", "bring it back"),
    )


def test_chats_by_number_are_told_one_by_one_where_one_is_rebound() -> None:
    rows = shown(bindings({"chat_1": "f11"})[0])
    assert ("F11", "chat 1") in rows
    assert ("Alt+2", "chat 2") in rows
