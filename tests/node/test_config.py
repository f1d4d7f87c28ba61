"""Settings: which source wins, and what is said of a broken file."""

from pathlib import Path
from typing import Any

import pytest

from node import config
from node.config import load
from node.core.timing import LAN, WAN
from node.errors import BadTiming, Usage
from node.places import Places, places


@pytest.fixture
def spot(tmp_path: Path) -> Places:
    return places("alice", str(tmp_path), {})


def write(spot: Places, text: str) -> None:
    spot.config.write_text(text, "utf-8")


SOURCES: list[tuple[dict[str, Any], dict[str, Any], dict[str, str], str, str, str]] = [
    ({}, {}, {}, "", "", "default"),
    ({}, {}, {}, 'nick = "file"', "file", "file"),
    ({}, {}, {}, 'nick = "file"\n[profile.alice]\nnick = "mine"', "mine", "file, [profile]"),
    ({}, {"nick": "kept"}, {}, '[profile.alice]\nnick = "mine"', "kept", "profile"),
    ({}, {"nick": "kept"}, {"P2PCHAT_NICK": "env"}, 'nick = "file"', "env", "P2PCHAT_NICK"),
    ({"nick": "flag"}, {"nick": "kept"}, {"P2PCHAT_NICK": "env"}, "", "flag", "flag --nick"),
    ({"nick": None}, {"nick": ""}, {"P2PCHAT_NICK": ""}, 'nick = "file"', "file", "file"),
    ({}, {}, {}, '[profile.bob]\nnick = "his"', "", "default"),
]


@pytest.mark.parametrize(("flags", "profile", "environ", "text", "value", "source"), SOURCES)
def test_flag_beats_environment_beats_profile_beats_file_beats_default(
    spot: Places,
    flags: dict[str, Any],
    profile: dict[str, Any],
    environ: dict[str, str],
    text: str,
    value: str,
    source: str,
) -> None:
    write(spot, text)
    found = load(spot, flags, profile, environ)
    assert (found.nick, found.sources["nick"]) == (value, source)
    assert found.complaints == ()


def test_no_file_is_no_complaint(spot: Places) -> None:
    found = load(spot, {}, {}, {})
    assert found.complaints == ()
    assert (found.listen, found.timeout, found.nds) == ("127.0.0.1:0", 10.0, ())


@pytest.mark.parametrize(
    ("text", "line", "key", "kept"),
    [
        ('\n\ntimeout = "soon"', 3, "timeout", "10.0"),
        ('nick = "a b"', 1, "nick", "''"),
        ('preset = "moon"', 1, "preset", "'lan'"),
        ('# first\nlisten = "host:99999"', 2, "listen", "'127.0.0.1:0'"),
        ("nds = [5]", 1, "nds", "; none is used"),
        ('nds = ["x"]', 1, "nds", "; none is used"),
        ('listen = "foo"', 1, "listen", "this machine knows no host 'foo'; '127.0.0.1:0' is used"),
        ('nds_listen = "foo:9"', 1, "nds_listen", "knows no host 'foo'; '127.0.0.1:50050' is used"),
        ('[profile.alice]\nlisten = "foo:9"', 2, "listen", "'foo'; '127.0.0.1:0' is used"),
        ('x = 1\n[profile.alice]\nnick = ""\ntimeout = -1', 4, "timeout", "10.0"),
        ("[timing]\nt1_ms = 0", 2, "t1_ms", "preset"),
        ("[timing]\nt9_ms = 5", 2, "t9_ms", "t1_ms"),
    ],
)
def test_a_bad_value_is_named_with_file_line_and_key_and_the_default_kept(
    spot: Places, monkeypatch: pytest.MonkeyPatch, text: str, line: int, key: str, kept: str
) -> None:
    monkeypatch.setattr(config, "is_known", lambda host: host != "foo")
    write(spot, text)
    found = load(spot, {}, {}, {})
    said = next(one for one in found.complaints if f"'{key}'" in one)
    assert said.startswith(f"{spot.config} line {line}: key '{key}':")
    assert kept in said
    assert (found.timeout, found.preset, found.build_timing()) == (10.0, "lan", LAN)
    assert (found.listen, found.nds_listen, found.nds) == ("127.0.0.1:0", "127.0.0.1:50050", ())


def test_what_is_used_in_the_place_of_a_bad_list_is_said_as_it_is_written(spot: Places) -> None:
    write(spot, 'nds = "x"')
    for nds in (["127.0.0.1:50050"], ["a:1", "b:2"]):
        (said,) = load(spot, {"nds": nds}, {}, {}).complaints
        assert said.endswith(f"must be HOST:PORT, not 'x'; {', '.join(nds)} is used")


def test_a_host_to_listen_on_that_is_known_here_is_taken_from_the_file(spot: Places) -> None:
    write(spot, 'listen = "localhost:4711"\nnds_listen = "::"')
    found = load(spot, {}, {}, {})
    assert (found.listen, found.nds_listen) == ("localhost:4711", "[::]:0")
    assert found.complaints == ()


def test_a_file_that_is_no_toml_is_named_with_line_and_key(spot: Places) -> None:
    write(spot, 'nick = "ok"\ntimeout = = 5\n')
    found = load(spot, {}, {}, {})
    assert len(found.complaints) == 1
    assert found.complaints[0].startswith(f"{spot.config} line 2: key 'timeout':")
    assert found.nick == ""


def test_a_file_of_noise_is_no_traceback(spot: Places) -> None:
    spot.config.write_bytes(b"\xff\xfe\x00")
    (said,) = load(spot, {}, {}, {}).complaints
    assert "not UTF-8" in said


def test_an_unknown_key_is_named_with_the_nearest(spot: Places) -> None:
    write(spot, "timout = 5")
    (said,) = load(spot, {}, {}, {}).complaints
    assert "line 1: key 'timout': no such setting" in said
    assert "Did you mean timeout" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('nick = "a"\n\ntiming.t2_ms = 900\ntiming.t1_ms = -5', "line 4: key 't1_ms'"),
        ('nick = "a"\n"timing" . t1_ms=-5', "line 2: key 't1_ms'"),
        ("# timing.t1_ms\n[timing]\nt1_ms = -5", "line 3: key 't1_ms'"),
        ('[alias]\nt1_ms = "x"\n[timing]\n"t1_ms" = -5', "line 4: key 't1_ms'"),
        ('x = 1\nprofile.alice.timeout = "x"', "line 2: key 'timeout'"),
        ('timeout = 5\n[profile.alice]\n\ntimeout = "x"', "line 4: key 'timeout'"),
        ('nick = "a"\n[nonsense]\nx = 1', "line 2: key 'nonsense'"),
    ],
)
def test_a_mistake_is_found_on_its_line_however_its_table_is_written(
    spot: Places, text: str, said: str
) -> None:
    write(spot, text)
    told = load(spot, {}, {}, {}).complaints
    assert [one for one in told if f" {said}:" in one], told


@pytest.mark.timeout(120)
def test_a_long_line_that_is_no_setting_costs_nothing(spot: Places) -> None:
    write(spot, f'timing.t1_ms = -5\nnick = """\n{"a" * 10_000}!\n"""')
    told = load(spot, {}, {}, {}).complaints
    assert [one.split(":")[0] for one in told] == [f"{spot.config} line {n}" for n in (2, 1)]


def test_a_limit_that_no_node_has_is_refused(spot: Places) -> None:
    with pytest.raises(Usage, match="--timing: there is no setting 'text_max'"):
        load(spot, {"timing": ["text_max=100"]}, {}, {})


@pytest.mark.parametrize(
    ("flags", "environ"),
    [
        ({"timeout": "never"}, {}),
        ({"nds": ["nowhere"]}, {}),
        ({"listen": "a b"}, {}),
        ({}, {"P2PCHAT_TIMEOUT": "0"}),
        ({"timing": ["t1_ms=fast"]}, {}),
        ({"timing": ["tempo=5"]}, {}),
    ],
)
def test_a_bad_flag_or_variable_is_refused(
    spot: Places, flags: dict[str, Any], environ: dict[str, str]
) -> None:
    with pytest.raises(Usage):
        load(spot, flags, {}, environ)


def test_several_discovery_services_come_once_each(spot: Places) -> None:
    found = load(spot, {"nds": ["a:1", "b:2", "a:1"]}, {}, {})
    assert found.nds == ("a:1", "b:2")
    assert load(spot, {}, {}, {"P2PCHAT_NDS": "a:1, b:2"}).nds == ("a:1", "b:2")


def test_timing_is_preset_then_file_then_flag(spot: Places) -> None:
    write(spot, 'preset = "wan"\n[timing]\nack_ms = 700\nping_ms = 900\n')
    timing = load(spot, {"timing": ["ack_ms=800"]}, {}, {}).build_timing()
    assert (timing.ack_ms, timing.ping_ms, timing.t2_ms) == (800, 900, WAN.t2_ms)


def test_timing_of_the_profile_stands_between_flag_and_file(spot: Places) -> None:
    write(spot, "[timing]\nack_ms = 700\nping_ms = 900\nt1_ms = 350\n")
    kept = {"ack_ms": 750, "ping_ms": 950, "of_a_later_version": 5, "t2_ms": "soon"}
    found = load(spot, {"timing": ["ack_ms=800"]}, {"timing": kept}, {})
    assert found.timing == {"ack_ms": 800, "ping_ms": 950, "t1_ms": 350}
    assert found.timing_sources == {"ack_ms": "flag --timing", "ping_ms": "profile",
                                    "t1_ms": "file"}  # fmt: skip
    assert found.given_timing == {"ack_ms": 800, "ping_ms": 950}


@pytest.mark.parametrize(
    ("flags", "kept", "environ", "given"),
    [
        ({"durability": "power"}, {}, {}, "power"),
        ({}, {"durability": "power"}, {}, "power"),
        ({}, {}, {"P2PCHAT_DURABILITY": "power"}, "power"),
        ({"durability": "process"}, {"durability": "power"}, {}, "process"),
        ({}, {"durability": ""}, {}, ""),
    ],
)
def test_what_the_file_says_is_not_for_the_profile_to_keep(
    spot: Places, flags: dict[str, Any], kept: dict[str, Any], environ: dict[str, str], given: str
) -> None:
    write(spot, 'durability = "power"')
    assert load(spot, flags, kept, environ).given("durability") == given


def test_timing_that_contradicts_itself_is_refused(spot: Places) -> None:
    write(spot, "[timing]\nt1_ms = 5000\n")
    with pytest.raises(BadTiming, match=r"t1_ms \(5000\) must be below t2_ms"):
        load(spot, {}, {}, {}).build_timing()


# ---- [keys] and [alias] ------------------------------------------------------------------------


def test_keys_and_aliases_are_handed_on_as_they_stand_with_their_lines(spot: Places) -> None:
    write(spot, '[alias]\nW = "/whois"\n\n[keys]\nnext_chat = ["ctrl+t"]\n"no such" = 5\n')
    found = load(spot, {}, {}, {})
    assert found.complaints == ()
    assert found.tables == {
        "keys": {"next_chat": ["ctrl+t"], "no such": 5},
        "alias": {"W": "/whois"},
    }
    assert found.where("keys", "no such") == (6, f"{spot.config} line 6: key 'no such':")
    assert found.where("alias", "W")[0] == 2
    assert found.where("keys", "elsewhere")[0] == 1


def test_without_tables_there_are_none(spot: Places) -> None:
    assert load(spot, {}, {}, {}).tables == {"keys": {}, "alias": {}}


@pytest.mark.parametrize("name", ["keys", "alias", "timing"])
def test_what_is_no_table_is_named_and_ignored(spot: Places, name: str) -> None:
    write(spot, f'# first\n{name} = 5\nnick = "a"\n')
    found = load(spot, {}, {}, {})
    (told,) = found.complaints
    must = f"must be a table, written [{name}]. It is ignored"
    assert told == f"{spot.config} line 2: key '{name}': {must}"
    assert found.tables == {"keys": {}, "alias": {}}
    assert found.nick == "a"


@pytest.mark.parametrize("option", config.OPTIONS, ids=lambda option: option.key)
def test_every_default_is_a_value_of_its_own_kind(option: config.Option) -> None:
    if option.default not in ("", ()):
        assert option.read(option.default) == option.default
