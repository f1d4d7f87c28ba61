"""Passwords: guessed, stolen on the way, played again, looked for on disks, and chosen badly."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from node.core import messages as m
from node.core.access import Challenge, Knows, Terms, context
from node.core.guessing import FREE_A_MINUTE
from node.core.types import Epoch
from node.trust import keys
from node.trust.passwords import seed_of
from node.trust.spake import Joiner
from tests.attacks.site import CHAT, Refused, Site, call
from tests.attacks.test_registry import Liar, listening
from tests.e2e.cluster import Cluster
from tests.logs import key_of, looked_into
from tests.sealing import Sealer

pytestmark = pytest.mark.xdist_group("attacks")

PASSWORD, OTHER = "zq7!mv2kd8 hörse", "staple 9 batteries"
WRONG = Refused("PERMISSION_DENIED", "WRONG_SECRET")
NEEDED = Refused("PERMISSION_DENIED", "NEEDS_PASSWORD")
LATER = Refused("RESOURCE_EXHAUSTED", "TRY_LATER")
_numbers = itertools.count(1)


class Vault(Struct):
    """A chat with a password, that alice leads, and what members keep of that."""

    site: Site
    name: str
    chat: int
    terms: Terms
    seed: bytes

    @property
    def leader(self) -> bytes:
        return self.site.keys["alice"].card.certificate

    def asks(self, own: keys.Keys, knows: Knows | None, **rest: Any) -> Any:
        """The answer to somebody with these keys."""
        caller = m.Caller(self.chat, 0, 2**41, Epoch(0, 0))
        asked = self.site.join(own, caller=caller, name=self.name, knows=knows, **rest)
        return call(self.site.listen["alice"], own.tls, asked)

    def joiner(self, own: keys.Keys, seed: bytes, **about: Any) -> Joiner:
        """One side of an exchange, about what the leader thinks it is about or something else."""
        said = {
            "chat": self.chat,
            "identity": own.identity,
            "joiner": own.card.certificate,
            "leader": self.leader,
        }
        return Joiner(seed, context(**(said | about)))

    def begins(self, own: keys.Keys, joiner: Joiner) -> tuple[int, bytes]:
        """The session, and the proof that goes with it."""
        challenge = self.asks(own, Knows(joiner.element))
        assert isinstance(challenge, Challenge), challenge
        return challenge.session, joiner.proofs(challenge.element)[0]

    def proves(self, own: keys.Keys, session: int, proof: bytes) -> Any:
        return self.asks(own, Knows(session=session, proof=proof))


def write(directory: Path, password: str) -> Path:
    """A file that nobody else can read, for a verb."""
    file = directory / f"password-{next(_numbers)}"
    file.touch(0o600)
    file.write_text(f"{password}\n")
    return file


@pytest.fixture
def vault(site: Site, tmp_path: Path) -> Iterator[Vault]:
    """A chat of its own for each attack: what was guessed at one is not held against another."""
    name, alice = f"vault{next(_numbers)}", site.cluster["alice"]
    alice.run("create", name, "--password-file", str(write(tmp_path, PASSWORD)))
    chat = int(alice.chat(name).chat_id)  # type: ignore[union-attr]
    made = Vault(site, name, chat, Terms(b""), b"")
    line = alice.row("invite", "-c", name)["join"]
    site.cluster["bob"].run("join", line, "--no-ui")
    member = site.cluster["bob"].id(name)
    caller = m.Caller(chat, member, 2**52, Epoch(0, 0))
    update = m.Update(caller, m.Roster(), want_roster=True)
    bob, seals = site.keys["bob"], Sealer(site.keys["bob"], lambda _: site.keys["alice"].card)
    told = call(site.listen["alice"], bob.tls, update, seals)
    assert isinstance(told, m.Updated), told
    kept = told.roster.password
    assert kept.terms is not None
    made.terms, made.seed = kept.terms, kept.seed
    yield made
    for member_name in ("bob", "alice"):
        site.cluster[member_name].run("leave", name)


def test_what_members_keep_is_what_scrypt_makes_of_the_password(vault: Vault) -> None:
    assert (vault.terms.log_n, vault.terms.r, vault.terms.p) == (15, 8, 1)
    assert vault.seed == seed_of(PASSWORD, vault.terms)


def test_a_wrong_password_gets_nobody_in(vault: Vault) -> None:
    own = vault.site.stranger
    with vault.site.unharmed():
        assert vault.asks(own, None) == NEEDED
        assert vault.asks(own, Knows()) == NEEDED
        begun = vault.begins(own, vault.joiner(own, seed_of(OTHER, vault.terms)))
        assert vault.proves(own, *begun) == WRONG


def test_who_guesses_in_a_row_has_to_wait_whatever_its_key_and_a_line_works_on(
    vault: Vault, tmp_path: Path
) -> None:
    site = vault.site
    with site.unharmed():
        for guess in range(FREE_A_MINUTE):
            own = keys.make()
            joiner = vault.joiner(own, seed_of(f"guess number {guess}", vault.terms))
            session, proof = vault.begins(own, joiner)
            if guess % 2 == 0:  # who looks whether it fits, and goes away, has guessed as well
                assert vault.proves(own, session, proof) == WRONG
        for own in (keys.make(), site.stranger):
            joiner = vault.joiner(own, vault.seed)
            assert vault.asks(own, Knows(joiner.element)) == LATER
    late = site.cluster.add("late")
    told = late.run(
        "join",
        f"{site.cluster.nds.address}/{vault.name}",
        "--no-ui",
        "--password-file",
        str(write(tmp_path, PASSWORD)),
        code=7,
    )
    assert "too many wrong passwords were tried; try again in" in told.stderr
    line = site.cluster["bob"].row("invite", "-c", vault.name)["join"]
    late.run("join", line, "--no-ui", "--nick", "late")
    late.run("leave", vault.name)
    late.down()


def test_a_proof_is_heard_once(vault: Vault) -> None:
    """The right one, of somebody whom nobody can call back, and so is not let in by it."""
    own = vault.site.stranger
    with vault.site.unharmed():
        session, proof = vault.begins(own, vault.joiner(own, vault.seed))
        assert vault.proves(own, session, proof) == Refused("FAILED_PRECONDITION", "CANNOT_REACH")
        assert vault.proves(own, session, proof) == WRONG


STOLEN: dict[str, Callable[[Vault, keys.Keys], dict[str, Any]]] = {
    "for another certificate": lambda _, other: {"joiner": other.card.certificate},
    "for another node": lambda vault, _: {
        "leader": vault.site.keys["bob"].card.certificate,
    },
    "of another person": lambda _, other: {"identity": other.identity},
    "for another chat": lambda vault, _: {"chat": vault.site.chat},
}


@pytest.mark.parametrize("how", STOLEN)
def test_a_proof_that_was_made_for_something_else_is_wrong(vault: Vault, how: str) -> None:
    """Whoever stands in between has an honest joiner's words, and cannot use them."""
    own, other = vault.site.stranger, keys.make()
    with vault.site.unharmed():
        joiner = vault.joiner(own, vault.seed, **STOLEN[how](vault, other))
        assert vault.proves(own, *vault.begins(own, joiner)) == WRONG


def test_a_session_is_no_use_to_another_certificate(vault: Vault) -> None:
    own, thief = vault.site.stranger, keys.make()
    with vault.site.unharmed():
        session, proof = vault.begins(own, vault.joiner(own, vault.seed))
        assert vault.proves(thief, session, proof) == WRONG
        assert vault.proves(own, session, proof) == WRONG, "it was tried"


@pytest.mark.parametrize("proof", [b"\0" * 32, b"\xff" * 32])
def test_nobody_skips_to_the_end(vault: Vault, proof: bytes) -> None:
    own = vault.site.stranger
    with vault.site.unharmed():
        for session in (1, 2**64 - 1):
            assert vault.proves(own, session, proof) == WRONG


@pytest.mark.parametrize("element", [b"A" + b"\0" * 32, b"B" + b"\1" * 32, b"A" + b"\xff" * 32])
def test_what_is_no_element_is_answered_as_any_other_wrong_one(
    vault: Vault, element: bytes
) -> None:
    own = vault.site.stranger
    with vault.site.unharmed():
        challenge = vault.asks(own, Knows(element))
        assert isinstance(challenge, Challenge)
        assert vault.proves(own, challenge.session, b"x" * 32) == WRONG


def test_the_password_stands_nowhere(vault: Vault) -> None:
    """Not on a disk, not in a log, not in what processes were called with or what is shown."""
    cluster = vault.site.cluster
    wanted = (PASSWORD.encode(), PASSWORD.encode().hex().encode(), PASSWORD.encode("utf-16-le"))
    files = [file for file in cluster.directory.rglob("*") if file.is_file()]
    pids = [cluster[name].ask("GetStatus").pid for name in ("alice", "bob")]
    files += [Path(f"/proc/{pid}/{what}") for pid in pids for what in ("cmdline", "environ")]
    assert not [file for file in files if any(one in file.read_bytes() for one in wanted)]
    seed = vault.seed.hex()
    assert not [file for file in files if seed.encode() in file.read_bytes()]
    key = key_of(cluster["alice"].home / cluster["alice"].profile)
    logs = [file for file in files if file.suffix == ".db" and "alice" in file.parts]
    found = [row for log in logs for row in looked_into(log, key).execute("SELECT * FROM state")]
    assert seed in str(found), "it is in members' logs alone, which their keys open"
    for name in ("alice", "bob"):
        assert seed not in cluster[name].run("rpc", "--json").stdout
        assert '"seed"' not in cluster[name].run("rpc", "--json").stdout


@pytest.mark.parametrize(
    ("password", "said"),
    [("short", "10 characters"), ("qwertyuiop", "next to each other"), ("{name}-2000", "name")],
)
def test_a_weak_password_is_not_taken(
    vault: Vault, tmp_path: Path, password: str, said: str
) -> None:
    file = write(tmp_path, password.format(name=vault.name))
    bob = vault.site.cluster["bob"]
    told = bob.run("password", vault.name, "--password-file", str(file), code=2)
    assert said in told.stderr
    told = bob.run("create", vault.name, "--password-file", str(file), code=2)
    assert said in told.stderr
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o640)
    told = bob.run("password", vault.name, "--password-file", str(file), code=2)
    assert "can be read by others (mode 0640)" in told.stderr


def test_a_false_leader_that_lets_in_whoever_asks_gets_nobody_who_comes_by_a_password(
    vault: Vault, tmp_path: Path
) -> None:
    site = vault.site
    mallory = site.cluster.members.get("mallory") or site.cluster.add("mallory")
    if not mallory.is_up():
        mallory.up("--nick", "mallory")
    mallory.run("create", "lure", "--open")
    lure = int(mallory.chat("lure").chat_id)  # type: ignore[union-attr]
    server, address = listening(keys.make().tls, Liar(mallory.ask("GetStatus").listen, lure))
    victim = site.cluster.add("valerie")
    flags = ("--no-ui", "--password-file", str(write(tmp_path, PASSWORD)))
    try:
        with site.unharmed():
            told = victim.run("join", f"{address}/{CHAT}", *flags, code=7)
            assert "did not let you in: it has no password" in told.stderr
    finally:
        server.stop(0)
        victim.down()
        mallory.run("leave", "lure")


@pytest.fixture(scope="module", autouse=True)
def _quiet(site: Site) -> Iterator[Cluster]:
    """Nothing is left of the attackers' nodes."""
    yield site.cluster
    for name in ("mallory",):
        if name in site.cluster.members and site.cluster[name].is_up():
            site.cluster[name].down()
