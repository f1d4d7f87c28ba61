"""Lines for the shell on several rows."""

import json
import random
import shlex
import subprocess

import pytest

from node.cli.render.shell import grpcurl, shell_rows
from node.cli.render.text import width

BODY = '{"chat":"255","text":"it\'s long, is it not?","more":[1,2]}'


def test_a_line_that_fits_stays_as_it_is() -> None:
    assert shell_rows("grpcurl -plaintext a:1 s/M", 80) == ("grpcurl -plaintext a:1 s/M",)


def test_a_secured_call_names_the_keys_that_it_is_made_with() -> None:
    assert grpcurl("a:1", "s/M", keys="/home/al/p2p") == (
        "grpcurl -cacert /home/al/p2p/authority.pem -cert /home/al/p2p/tls.pem"
        " -key /home/al/p2p/tls.pem -authority p2pchat a:1 s/M"
    )
    there = shlex.split(grpcurl("a:1", "s/M", keys="/Users/Al's/p 2$p"))
    assert there[1:5] == [
        "-cacert", "/Users/Al's/p 2$p/authority.pem", "-cert", "/Users/Al's/p 2$p/tls.pem",
    ]  # fmt: skip
    assert grpcurl("/s", "s/M", unix=True, keys="/p") == "grpcurl -plaintext -unix /s s/M"


def test_a_line_is_broken_between_arguments_and_members() -> None:
    assert shell_rows(grpcurl("a:1", "s/M", BODY), 40) == (
        'grpcurl -plaintext -d \'{"chat":"255",',
        '"text":"it\'\\\'\'s long, is it not?",',
        '"more":[1,2]}\' a:1 s/M',
    )


def test_a_text_is_broken_with_its_quotes_closed() -> None:
    assert shell_rows("echo 'abcdefghijklmnop' b", 12) == (
        "echo \\",
        "'abcdefghi'\\",
        "'jklmnop' b",
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_shell_reads_the_same_on_rows_of_any_width(seed: int) -> None:
    chance = random.Random(seed)
    script, wanted = "", list[list[str]]()
    for columns in (14, 20, 33, 60, 100) * 10:
        text = "".join(chance.choice("ab c'\"\\,{}字 $`!#") for _ in range(chance.randrange(80)))
        body = json.dumps({"chat": "255", "text": text, "more": [1, {"x": text}]})
        keys = chance.choice(("", "/p", "/Users/Al's /p2pchat/default"))
        line = grpcurl("10.0.0.1:5", "a.b/C", body, keys=keys)
        rows = shell_rows(line, columns)
        assert max(map(width, rows)) <= columns, f"seed {seed}"
        script += "printf '%s\\0' " + "\n".join(rows) + "\n"
        wanted.append(shlex.split(line))
    ran = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True)
    got = iter(ran.stdout.decode().split("\0"))
    for words in wanted:
        read = [next(got) for _ in words]
        at = words.index("-d") + 1
        assert (read[:at], read[at + 1 :]) == (words[:at], words[at + 1 :]), f"seed {seed}"
        assert json.loads(read[at]) == json.loads(words[at]), f"seed {seed}"


@pytest.mark.parametrize("columns", [0, 1, 2, 3, 5])
def test_a_screen_that_is_too_narrow_breaks_nothing(columns: int) -> None:
    rows = shell_rows(grpcurl("a:1", "s/M", BODY), columns)
    assert rows


def test_a_long_line_is_walked_through_once() -> None:
    body = json.dumps({"text": "word " * 200_000})
    rows = shell_rows(grpcurl("a:1", "s/M", body), 80)
    assert max(map(len, rows)) <= 80
    assert len(rows) > 10_000
