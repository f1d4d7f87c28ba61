"""The command line: what it means, and what it refuses."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nds.__main__ import main
from nds.config import Config, key_file, parse
from nds.errors import UsageError
from tests.waiting import WAIT_S


def test_defaults_are_loopback_and_the_users_data_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    config = parse([])
    assert (config.host, config.port, config.log) == ("127.0.0.1", 50050, "text")
    assert config.store.name == "nds.db"
    assert config.is_usual_store
    assert "p2pchat" in config.store.parts


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--listen", "0.0.0.0:6000"], Config(host="0.0.0.0", port=6000)),
        (["--listen", "[::1]:0"], Config(host="[::1]", port=0)),
        (["--listen=nds.example.org:6000"], Config(host="nds.example.org", port=6000)),
        (["--log", "json"], Config(log="json")),
        (["--insecure"], Config(insecure=True)),
        (["--insecure", "--listen", "[::1]:0"], Config(host="[::1]", port=0, insecure=True)),
        (["--store", "sqlite:/tmp/x.db"], Config(store=Path("/tmp/x.db"))),
        (["--store", "sqlite:a:b.db"], Config(store=Path("a:b.db"))),
    ],
)
def test_what_is_given_is_taken(arguments, expected):
    if "--store" not in arguments:
        arguments = [*arguments, "--store", "memory:"]
    assert parse(arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--listen", ""], "HOST:PORT"),
        (["--listen", "6000"], "HOST:PORT"),
        (["--listen", "localhost"], "HOST:PORT"),
        (["--listen", "localhost:65536"], "HOST:PORT"),
        (["--listen", "localhost:-1"], "HOST:PORT"),
        (["--listen", "::1:6000"], "HOST:PORT"),
        (["--listen", "unix:/tmp/x"], "HOST:PORT"),
        (["--listen", "a b:6000"], "HOST:PORT"),
        (["--listen"], "expected one argument"),
        (["--listen=--"], "--listen '--' is not HOST:PORT"),
        (["--store=--"], "--store '--' is neither"),
        (["--log=--"], "--log: invalid choice: '--'"),
        (["--store", "etcd:"], "sqlite:PATH"),
        (["--store", "memory"], "memory:"),
        (["--store", "memory:x"], "memory:"),
        (["--store", "sqlite:"], "sqlite:PATH"),
        (["--store", "sqlite:\0"], "sqlite:PATH"),
        (["--log", "xml"], "invalid choice"),
        (["--lis", "127.0.0.1:0"], "unrecognized arguments"),
        (["extra"], "unrecognized arguments"),
        (["--insecure", "--listen", "0.0.0.0:0"], "this machine alone: .* 127.0.0.1, not 0.0.0.0"),
        (["--insecure", "--listen", "[::]:0"], r"this machine alone: .* not \[::\]"),
        # Of loopback, but it does not look so.
        (["--insecure", "--listen", "[::ffff:127.0.0.1]:0"], "this machine alone"),
        (["--insecure", "--listen", "nds.example.org:6000"], "not nds.example.org"),
    ],
)
def test_nonsense_is_refused_in_one_line_with_exit_code_2(arguments, says, capsys):
    with pytest.raises(UsageError, match=says):
        parse(arguments)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nds-server: ")
    assert re.search(says, captured.err)
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("store", "file"),
    [
        ("sqlite:/tmp/nds.db", Path("/tmp/nds.pem")),
        ("sqlite:/tmp/a.b/nds", Path("/tmp/a.b/nds.pem")),
        ("sqlite:x.sqlite", Path("x.pem")),
        ("sqlite:x.pem", Path("x.key.pem")),
        ("memory:", None),
    ],
)
def test_the_key_is_beside_the_store(store, file):
    assert key_file(parse(["--store", store])) == file


def test_the_usual_key_is_beside_the_usual_store(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    config = parse([])
    assert key_file(config) == config.store.parent / "nds.pem"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("localhost", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("[::]", False),
        ("10.0.0.5", False),
        ("127.example.org", False),
    ],
)
def test_only_loopback_is_out_of_reach_of_others(host, loopback):
    assert Config(host=host).loopback == loopback


@pytest.mark.parametrize(("flag", "says"), [("--help", "HOST:PORT"), ("--version", "nds-server ")])
def test_help_and_version_come_without_loading_grpc(flag, says):
    program = (
        "import sys\nfrom nds.__main__ import main\n"
        "try:\n  main([sys.argv[1]])\n"
        "except SystemExit as end:\n"
        "  assert not {'grpc', 'google', 'asyncio', 'sqlite3', 'platformdirs'} & set(sys.modules)\n"
        "  sys.exit(end.code)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, flag],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert says in run.stdout
