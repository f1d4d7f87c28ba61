"""Where files are, and that nobody else can open them."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from node.errors import OpenDirectory, Unwritable, Usage
from node.places import SOCKET_PATH_MAX, check_private, places, short_directory


def test_a_home_holds_everything(tmp_path: Path) -> None:
    found = places("bob", str(tmp_path), {})
    assert found.config == tmp_path / "config.toml"
    for file in (found.log, found.nds_store, found.socket, found.data):
        assert file.is_relative_to(tmp_path / "bob")


def test_flags_come_before_the_environment(tmp_path: Path) -> None:
    environ = {"P2PCHAT_HOME": str(tmp_path / "env"), "P2PCHAT_PROFILE": "env"}
    assert places(None, None, environ).data == tmp_path / "env" / "env"
    assert places("flag", str(tmp_path), environ).data == tmp_path / "flag"


def test_profiles_share_config_and_nothing_else(tmp_path: Path) -> None:
    a, b = places("a", str(tmp_path), {}), places("b", str(tmp_path), {})
    assert a.config == b.config
    assert {a.data, a.socket, a.log}.isdisjoint({b.data, b.socket, b.log})


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "x" * 65, ".hidden"])
def test_what_cannot_be_a_directory_is_no_profile(tmp_path: Path, name: str) -> None:
    if not name:
        assert places(name, str(tmp_path), {}).profile == "default"
        return
    with pytest.raises(Usage):
        places(name, str(tmp_path), {})


def test_a_socket_path_that_is_too_long_gets_a_short_stand_in(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    found = places("bob", str(deep), {})
    assert len(str(found.runtime / "node.sock")) > SOCKET_PATH_MAX
    assert len(str(found.socket)) <= SOCKET_PATH_MAX
    assert found.socket.parent == short_directory()
    assert found.socket == places("bob", str(deep), {}).socket
    assert found.socket != places("carol", str(deep), {}).socket


def test_directories_are_closed_to_others(tmp_path: Path) -> None:
    found = places("bob", str(tmp_path / "home"), {})
    found.make()
    assert stat.S_IMODE(found.data.stat().st_mode) == 0o700


def test_a_stand_in_in_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "short"
    directory.mkdir(mode=0o700)
    check_private(directory)
    directory.chmod(0o755)
    with pytest.raises(OpenDirectory):
        check_private(directory)


def test_a_link_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    with pytest.raises(OpenDirectory):
        check_private(link)


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match="file"):
        places("bob", str(tmp_path / "file"), {}).make()


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_where_the_platform_has_no_place_for_sockets_there_is_a_private_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    """Each home of one user has its own: else one would speak as the other."""
    short = tempfile.mkdtemp(dir="/tmp")
    monkeypatch.setattr(tempfile, "tempdir", short)
    sockets = set()
    before = os.umask(mask)
    try:
        for home in ("one", "other"):
            monkeypatch.setenv("HOME", str(tmp_path / home))
            for name in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
                monkeypatch.delenv(name, raising=False)
            found = places(None, None)
            found.make()
            found.make()
            assert found.socket.is_relative_to(short_directory())
            assert stat.S_IMODE(found.socket.parent.stat().st_mode) == 0o700
            sockets.add(found.socket)
            monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
            sockets.add(places(None, None).socket)
    finally:
        os.umask(before)
        shutil.rmtree(short)
    assert len(sockets) == 4
