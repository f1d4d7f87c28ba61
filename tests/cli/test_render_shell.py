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
        line = grpcurl("10.0.0.1:5", "a.b/C", body)
        rows = shell_rows(line, columns)
        assert max(map(width, rows)) <= columns, f"seed {seed}"
        script += "printf '%s\\0' " + "\n".join(rows) + "\n"
        wanted.append(shlex.split(line))
    ran = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True)
    got = iter(ran.stdout.decode().split("\0"))
    for words in wanted:
        read = [next(got) for _ in words]
        assert (read[:3], read[4:]) == (words[:3], words[4:]), f"seed {seed}"
        assert json.loads(read[3]) == json.loads(words[3]), f"seed {seed}"


@pytest.mark.parametrize("columns", [0, 1, 2, 3, 5])
def test_a_screen_that_is_too_narrow_breaks_nothing(columns: int) -> None:
    rows = shell_rows(grpcurl("a:1", "s/M", BODY), columns)
    assert rows


def test_a_long_line_is_walked_through_once() -> None:
    body = json.dumps({"text": "word " * 200_000})
    rows = shell_rows(grpcurl("a:1", "s/M", body), 80)
    assert max(map(len, rows)) <= 80
    assert len(rows) > 10_000
