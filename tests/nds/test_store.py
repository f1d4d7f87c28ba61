"""What every store promises, run against each kind; then what only a file can do or suffer."""

import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from msgspec.structs import fields, replace

from nds.errors import StoreDamaged, StoreFull, StoreTooNew, StoreUnusable
from nds.record import Decision, Epoch, IdBlock, Record
from nds.store import MemoryStore, open_store, sqlite
from nds.store.sqlite import SCHEMA, SqliteStore
from tests.waiting import WAIT_S

TEA = Record(
    chat=2**63 - 1,
    name="tea",
    mode=2,
    created_ms=1_700_000_000_000,
    epoch=Epoch(1_795_000_000, 2**53 - 1),
    leader=2**53 - 1,
    address="[::1]:5001",
    next_n=9,
    seen_ms=1_795_000_000_999,
    nonce=2**64 - 1,
    ids=IdBlock(1_795_000_000_000_001, 8),
    answered=True,
    request="6f1c1f1e-7d3b-4b43-9d2b-0d7a3d8a6f01",
    claim_key=bytes(range(32)),
    owner=bytes(range(32, 64)),
    certificate=b"\x30\x82\0",
    host="10.0.0.1",
    former=(bytes(range(64, 96)), bytes(range(96, 128))),
)


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    opened = open_store(None if request.param == "memory" else tmp_path / "nds.db")
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "nds.db"


def keep(store, record, generation=0):
    """Put a record there, whatever was there before."""

    def decide(kept):
        return Decision(record, max(kept.generation, generation), "kept")

    return store.update(record.chat, decide)


def look(store, chat, request=""):
    """What a decision about this chat would start from."""
    seen = []

    def decide(kept):
        seen.append(kept)
        return Decision(kept.record, kept.generation, None)

    store.update(chat, decide, request=request)
    return seen[0]


# --- every store -----------------------------------------------------------------------------


def test_what_is_kept_is_read_as_it_was(store):
    assert keep(store, TEA).after == TEA
    assert store.get(TEA.chat) == store.find("tea") == look(store, TEA.chat).record == TEA


def test_an_update_tells_what_was_before_and_what_was_decided(store):
    keep(store, TEA)
    later = replace(TEA, leader=7)
    changed = keep(store, later)
    assert (changed.before, changed.after, changed.reply) == (TEA, later, "kept")


def test_what_was_never_kept_is_nothing(store):
    assert store.get(5) is store.find("tea") is look(store, 5).record is None
    assert store.page("", 10, seen_from_ms=0) == []


def test_a_decision_to_keep_nothing_keeps_nothing(store):
    changed = store.update(5, lambda kept: Decision(None, kept.generation, "no"))
    assert (changed.before, changed.after, changed.reply) == (None, None, "no")
    assert store.get(5) is None


def test_a_decision_that_fails_changes_nothing(store):
    keep(store, TEA, generation=7)

    def decide(_):
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        store.update(TEA.chat, decide)
    assert (store.get(TEA.chat), look(store, 1).generation) == (TEA, 7)
    keep(store, replace(TEA, leader=7))


def test_a_decision_is_made_once(store):
    calls = []

    def decide(kept):
        calls.append(kept)
        return Decision(TEA, kept.generation, None)

    store.update(TEA.chat, decide)
    assert len(calls) == 1


def test_a_name_is_taken_by_another_living_network_alone(store):
    keep(store, TEA)
    keep(store, replace(TEA, chat=6, name="gone", request="", deleted=True))
    assert look(store, 5).taken("tea")
    assert not look(store, TEA.chat).taken("tea")
    assert not look(store, 5).taken("gone")
    assert not look(store, 5).taken("Tea")


def test_a_name_is_free_once_its_network_has_ended_or_changed_it(store):
    keep(store, replace(TEA, deleted=True))
    assert store.find("tea") is None
    assert store.get(TEA.chat) == replace(TEA, deleted=True)
    keep(store, replace(TEA, chat=5, request="r5"))
    assert store.find("tea").chat == 5
    keep(store, replace(TEA, chat=5, request="r5", name="tea-2"))
    assert store.find("tea") is None
    assert store.find("tea-2").chat == 5


def test_a_tombstone_can_live_again(store):
    keep(store, replace(TEA, deleted=True))
    keep(store, replace(TEA, name="tea-2"))
    assert store.find("tea-2") == replace(TEA, name="tea-2")


def test_two_networks_of_one_name_are_a_bug_that_loses_neither(store):
    keep(store, TEA)
    with pytest.raises((AssertionError, sqlite3.IntegrityError)):
        keep(store, replace(TEA, chat=5, request="r5"))
    assert store.find("tea") == TEA
    assert store.get(5) is None


def test_a_request_finds_the_network_that_it_made(store):
    keep(store, TEA)
    assert look(store, 5, request=TEA.request).record == TEA
    assert look(store, 5, request="another").record is None
    assert look(store, 5).record is None
    keep(store, replace(TEA, chat=6, name="x", request=""))
    assert look(store, 5, request="").record is None


def test_an_existing_chat_goes_before_its_request(store):
    keep(store, TEA)
    keep(store, replace(TEA, chat=5, name="x", request="r5"))
    assert look(store, TEA.chat, request="r5").record == TEA


def test_generations_are_drawn_and_kept(store):
    assert store.start(5_999) == 5
    assert look(store, 1).generation == 5
    keep(store, TEA, generation=9)
    assert look(store, 1).generation == 9
    assert store.start(5_999) == 10


def test_pages_go_on_from_a_name_in_order(store):
    names = ["B", "a", "b", "b-1", "z", "ä"]
    for chat, name in enumerate(reversed(names), 1):
        keep(store, replace(TEA, chat=chat, name=name, request="", seen_ms=chat * 10))
    keep(store, replace(TEA, chat=99, name="bb", request="", deleted=True))

    def page(after, limit, seen_from_ms=0):
        return [r.name for r in store.page(after, limit, seen_from_ms=seen_from_ms)]

    assert page("", 10) == names
    assert page("", 2) == ["B", "a"]
    assert page("a", 2) == ["b", "b-1"]
    assert page("aa", 1) == ["b"]
    assert page("z", 10) == ["ä"]
    assert page("ä", 10) == []
    assert page("", 10, seen_from_ms=40) == ["B", "a", "b"]
    assert page("", 2, seen_from_ms=20) == ["B", "a"]


def test_silent_leaders_are_found_by_when_they_were_heard(store):
    for chat in range(1, 6):
        keep(store, replace(TEA, chat=chat, name=f"n{chat}", request="", seen_ms=chat * 10))
    keep(store, replace(TEA, chat=9, name="gone", request="", seen_ms=30, deleted=True))
    assert sorted(r.chat for r in store.last_seen(20, 40)) == [2, 3]


# --- a file ----------------------------------------------------------------------------------


def test_no_path_is_memory_and_a_path_a_file(path):
    assert isinstance(open_store(None), MemoryStore)
    store = open_store(path)
    assert isinstance(store, SqliteStore)
    store.close()


def test_a_file_remembers(path):
    store = SqliteStore(path)
    store.start(5_999)
    records = [TEA, replace(TEA, chat=6, name="gone", request="r6", nonce=0, deleted=True)]
    for record in records:
        keep(store, record)
    store.close()
    store = SqliteStore(path)
    assert [store.get(record.chat) for record in records] == records
    assert look(store, 5, request="r6").record == records[1]
    assert store.start(5_999) == 6
    store.close()


def test_every_field_of_a_record_is_kept(path):
    assert all(getattr(TEA, f.name) != f.default for f in fields(Record) if f.name != "deleted")


def test_a_store_of_before_claim_keys_is_taken_over(path):
    store = SqliteStore(path)
    keep(store, TEA, generation=7)
    store.close()
    db = sqlite3.connect(path)
    for column in ("claim_key", "owner", "certificate", "host"):
        db.execute(f"alter table network drop column {column}")
    db.execute("pragma user_version = 1")
    db.commit()
    db.close()
    for _ in range(2):
        store = SqliteStore(path)
        before = replace(TEA, claim_key=b"", owner=b"", certificate=b"", host="", former=())
        assert (store.get(TEA.chat), look(store, 5).generation) == (before, 7)
        store.close()
    store = SqliteStore(path)
    keep(store, TEA)
    assert store.get(TEA.chat) == TEA
    store.close()


def test_a_file_is_made_with_its_directory_for_this_user_alone(tmp_path):
    path = tmp_path / "a" / "b" / "nds.db"
    open_store(path, make_directory=True).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_commits_are_written_through_to_the_disk(path):
    store = SqliteStore(path)
    assert store._db.execute("pragma synchronous").fetchone() == (2,)  # FULL
    assert store._db.execute("pragma journal_mode").fetchone() == ("wal",)
    store.close()


def test_an_update_survives_the_end_of_its_process_without_a_close(path):
    program = (
        "import sys, os\nfrom pathlib import Path\nfrom msgspec.structs import replace\n"
        "from tests.nds.test_store import SqliteStore, TEA, keep\n"
        "store = SqliteStore(Path(sys.argv[1]))\n"
        "keep(store, TEA)\nkeep(store, replace(TEA, leader=7))\nos._exit(9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", program, str(path)], env=environment, timeout=WAIT_S, check=False
    )
    assert run.returncode == 9
    store = SqliteStore(path)
    assert store.get(TEA.chat) == replace(TEA, leader=7)
    store.close()


def test_a_second_server_is_kept_out_of_the_file(path):
    store = SqliteStore(path)
    with pytest.raises(StoreUnusable, match="in use by another process"):
        SqliteStore(path)
    keep(store, TEA)
    store.close()
    SqliteStore(path).close()


@pytest.mark.parametrize("where", ["file/nds.db", ".", "/proc/nds.db"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path, where):
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(StoreUnusable, match="cannot write the store"):
        SqliteStore(tmp_path / where)


def test_a_newer_schema_is_refused_and_left_alone(path):
    SqliteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"pragma user_version = {SCHEMA + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match=f"schema {SCHEMA + 1}.*knows {SCHEMA}"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(path):
    with sqlite3.connect(path) as db:
        db.execute("create table mine (x)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


def damage_header(data):
    return b"\x00" * 100 + data[100:]


def damage_middle(data):
    return data[:4096] + b"\xa5" * (len(data) - 4096)


def damage_end(data):
    return data[:-4096] + b"\xa5" * 4096


def cut_short(data):
    return data[: len(data) // 2 - 7]


def not_a_database(_):
    return b"dear diary\n" * 500


HARM = [damage_header, damage_middle, damage_end, cut_short, not_a_database]


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_file_is_refused_with_what_to_do_and_left_alone(path, harm):
    store = SqliteStore(path)
    for chat in range(1, 200):
        keep(store, replace(TEA, chat=chat, name=f"n{chat}", request=f"r{chat}"))
    store.close()
    path.write_bytes(harm(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match=r"^[^\n]* is damaged.*left as it is: move it away"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_disk_that_fails_changes_nothing_and_is_named(path):
    store = SqliteStore(path)
    keep(store, TEA)
    pages = store._db.execute("pragma page_count").fetchone()[0]
    store._db.execute(f"pragma max_page_count = {pages}")  # the disk is full
    with pytest.raises(StoreFull, match="full"):
        for chat in range(1, 500):
            keep(store, replace(TEA, chat=chat, name=f"n{chat}", request=""))
    assert store.get(TEA.chat) == TEA
    store._db.execute("pragma max_page_count = 1000000")
    keep(store, replace(TEA, leader=7))
    store.close()


def test_whether_the_disk_takes_anything_is_found_out_without_changing_anything(path):
    store = SqliteStore(path)
    keep(store, TEA, generation=7)
    store.try_writing()
    assert store.get(TEA.chat) == TEA
    assert store._generation() == 7
    pages = path.with_name(path.name + "-wal").stat().st_size
    store.try_writing()
    assert path.with_name(path.name + "-wal").stat().st_size > pages, "it has been written"
    store._db.execute("pragma query_only = on")  # the disk can only be read
    with pytest.raises(StoreUnusable, match="cannot use the store"):
        store.try_writing()
    store.close()


@pytest.mark.parametrize(("free", "kind"), [(4_096, StoreFull), (2**30, StoreUnusable)])
def test_an_io_error_is_for_want_of_room_where_there_is_none(path, monkeypatch, free, kind):
    store = SqliteStore(path)
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    monkeypatch.setattr(sqlite, "disk_usage", lambda _: shutil._ntuple_diskusage(2**30, 0, free))
    assert type(store._failed(error)) is kind
    store.close()
