"""Where the files of a profile are: config, data, state and runtime directories, and the socket.

All are under one directory with --home or P2PCHAT_HOME, else where the platform wants them.
"""

import hashlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from .disk import refusal
from .errors import OpenDirectory, Usage

SOCKET_PATH_MAX = 107  # bytes; the kernel has room for no more
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Places(Struct, frozen=True):
    """The files of one profile."""

    profile: str
    home: Path | None  # where --home was given
    config: Path  # config.toml, shared by all profiles of a home
    data: Path  # identity, profile, archives
    state: Path  # logs
    runtime: Path  # the control socket

    @property
    def log(self) -> Path:
        return self.state / "node.log"

    @property
    def output(self) -> Path:
        """What a background node prints, tracebacks included."""
        return self.state / "node.out"

    @property
    def ui(self) -> Path:
        """What the faces keep: settings, mutes, aliases."""
        return self.data / "ui.json"

    @property
    def nds_log(self) -> Path:
        return self.state / "nds.log"

    @property
    def nds_store(self) -> Path:
        return self.data / "nds.db"

    @property
    def nds_pid(self) -> Path:
        return self.data / "nds.pid"

    @property
    def socket(self) -> Path:
        """The control socket; a short stand-in where the natural path is too long for one."""
        natural = self.runtime / "node.sock"
        if len(os.fsencode(natural)) <= SOCKET_PATH_MAX:
            return natural
        short = hashlib.sha256(os.fsencode(natural)).hexdigest()[:16]
        return short_directory() / f"{short}.sock"

    def make(self) -> None:
        """Makes the directories, closed to others.

        Raises:
            Unwritable: one cannot be made.
            OpenDirectory: the stand-in's directory is not ours alone.
        """
        for directory in (self.data, self.state, self.runtime, self.socket.parent):
            try:
                if directory.is_relative_to(short_directory()):  # Parents have no mode of ours.
                    short_directory().mkdir(mode=0o700, exist_ok=True)
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise refusal(directory, error) from error
        for directory in (self.runtime, self.socket.parent):
            if directory.is_relative_to(short_directory()):
                check_private(short_directory())
                check_private(directory)


def short_directory() -> Path:
    """Where stand-ins for too long socket paths are: the same for every process of ours."""
    root = Path(tempfile.gettempdir())
    if len(os.fsencode(root)) > 60:
        root = Path("/tmp")  # noqa: S108  the directory in it is ours alone, or not used
    return root / f"p2pchat-{os.getuid()}"


def check_private(directory: Path) -> None:
    """Raises OpenDirectory unless `directory` is a real one that only we may enter."""
    found = directory.lstat()
    private = not found.st_mode & 0o077 and found.st_uid == os.getuid()
    if not (private and stat.S_ISDIR(found.st_mode)):
        raise OpenDirectory(file=directory)


def places(
    profile: str | None, home: str | None, environ: Mapping[str, str] = os.environ
) -> Places:
    """Where the files of `profile` are; flags first, then P2PCHAT_PROFILE and P2PCHAT_HOME.

    Raises:
        Usage: the profile's name could not be one.
    """
    name = profile or environ.get("P2PCHAT_PROFILE") or "default"
    if not NAME.fullmatch(name) or name.startswith("."):
        raise Usage(text=f"--profile: 1 to 64 letters, digits, - _ and . are a name, not {name!r}")
    given = home or environ.get("P2PCHAT_HOME")
    if given:
        top = Path(given).expanduser().absolute()
        own = top / name
        return Places(name, top, top / "config.toml", own, own, own)
    import platformdirs

    dirs = platformdirs.PlatformDirs("p2pchat", appauthor=False)
    # Where the platform has no place for sockets, one that is private all the same.
    sockets = sys.platform == "darwin" or environ.get("XDG_RUNTIME_DIR")
    runtime = Path(dirs.user_runtime_dir) if sockets else short_directory()
    data = Path(dirs.user_data_dir) / name
    tag = hashlib.sha256(os.fsencode(data)).hexdigest()[:8]  # One user may have several homes.
    return Places(
        profile=name,
        home=None,
        config=Path(dirs.user_config_dir) / "config.toml",
        data=data,
        state=Path(dirs.user_state_dir) / name,
        runtime=runtime / f"{name}-{tag}",
    )
