"""[keys] and [alias] of config.toml: what counts, and what is said of mistakes."""

from pathlib import Path

import pytest

from node.cli.keys import DEMO, bindings
from node.cli.personal import Personal, personal
from node.config import load
from node.places import places

USUAL = bindings({}, DEMO)[0]


def read(home: Path, text: str) -> Personal:
    spot = places("alice", str(home), {})
    spot.config.write_text(text, "utf-8")
    config = load(spot, {}, {}, {})
    assert config.complaints == ()
    return personal(config)


def test_keys_and_aliases_count(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '[keys]\nnext_chat = ["ctrl+t", "f5"]\nkill = "f11"\nbare = []\n'
        '[alias]\nW = "/whois"\n"brb" = " back soon "\n',
    )
    assert found.complaints == ()
    changed = {"next_chat": (("c-t",), ("f5",)), "kill": (("f11",),), "bare": ()}
    assert found.keys == USUAL | changed
    assert found.changed == set(changed)
    assert found.aliases == {"w": "/whois", "brb": "back soon"}


def test_without_tables_all_is_as_usual(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Personal(USUAL, frozenset(), {})


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ('[keys]\nnext_chat = "ctrl+z"', 2, "next_chat", "'Ctrl+N, Alt+Right' is used"),
        ('[keys]\nhelp = "f5"\nbare = "f5"', 3, "bare", "F5 is the key of help already"),
        ("[keys]\nsend = []", 2, "send", "without a key nothing could be sent; 'Enter' is used"),
        ('[keys]\nnext = "f5"', 2, "next", "there is no such action."),
        ('[keys]\nnext = "f5"', 2, "next", " It is ignored"),
        ("[keys]\nhelp = 5", 2, "help", "must be a key or a list of keys, not 5"),
        ('[alias]\nnames = "/who"', 2, "names", "/names is a command already. It is ignored"),
        ("[alias]\nw = 5", 2, "w", "must be a text, not 5. It is ignored"),
        ('[alias]\n"a b" = "/who"', 2, "a b", "the name of an alias must be 1 to 24 letters"),
        ('[alias]\nx = ""', 2, "x", "what the alias stands for must be a text"),
        ('[alias]\nx = "a\\u001bb"', 2, "x", "must be one line without control characters"),
    ],
)
def test_a_mistake_is_named_with_line_and_key_and_the_rest_counts(
    tmp_path: Path, text: str, line: int, key: str, said: str
) -> None:
    found = read(tmp_path, f'{text}\n[profile.alice]\nnick = "a"\n')
    (told,) = found.complaints
    assert told.startswith(f"{tmp_path}/config.toml line {line}: key '{key}': ")
    assert said in told
    assert found.keys.get(key) == USUAL.get(key)
    assert key not in found.changed
    assert found.aliases == {}


def test_mistakes_are_told_in_order_of_line(tmp_path: Path) -> None:
    found = read(tmp_path, '[alias]\nq = "/x"\nok = "fine"\n[keys]\nnope = "f5"\nhelp = "x"\n')
    assert [told.split(":")[0].split()[-1] for told in found.complaints] == ["2", "5", "6"]
    assert found.aliases == {"ok": "fine"}
