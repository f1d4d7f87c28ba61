"""Watchers: what each is owed, and when it is let go."""

import asyncio

import pytest
from msgspec.structs import replace

from nds.watchers import Closed, TooMany, TooSlow, Watchers
from tests.nds.test_store import TEA


def record(chat, leader=1):
    return replace(TEA, chat=chat, leader=leader)


async def test_each_watcher_is_told_in_the_order_of_change():
    watchers = Watchers()
    first, second = watchers.add(), watchers.add()
    for chat in (1, 2):
        watchers.publish(record(chat))
    assert [await first.next(), await first.next()] == [record(1), record(2)]
    assert await second.next() == record(1)


async def test_a_network_that_changes_twice_is_told_once_as_it_is_now():
    watchers = Watchers()
    watcher = watchers.add()
    for chat, leader in ((1, 1), (2, 1), (1, 2)):
        watchers.publish(record(chat, leader))
    assert [await watcher.next(), await watcher.next()] == [record(1, 2), record(2)]


async def test_a_watcher_waits_for_the_next_change():
    watchers = Watchers()
    watcher = watchers.add()
    waiting = asyncio.ensure_future(watcher.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    watchers.publish(record(1))
    assert await waiting == record(1)


async def test_a_watcher_that_is_owed_too_much_is_let_go():
    watchers = Watchers(owed_max=2)
    slow, quick = watchers.add(), watchers.add()
    for chat in (1, 2, 3):
        watchers.publish(record(chat))
        assert await quick.next() == record(chat)
    with pytest.raises(TooSlow):
        await slow.next()
    assert len(watchers) == 1


async def test_all_watchers_end_when_the_service_stops():
    watchers = Watchers()
    watcher = watchers.add()
    waiting = asyncio.ensure_future(watcher.next())
    await asyncio.sleep(0)
    watchers.close()
    with pytest.raises(Closed):
        await waiting
    with pytest.raises(Closed):
        watchers.add()


def test_there_is_room_for_so_many_and_again_when_one_goes():
    watchers = Watchers(watchers_max=1)
    watcher = watchers.add()
    with pytest.raises(TooMany):
        watchers.add()
    watchers.remove(watcher)
    watchers.add()
