"""Liveness and election: each request and reply, both ways."""
# ruff: noqa: D103  put_ and get_ of a value named in the core need no sentence of their own

from node.codec import facts
from node.codec.check import Check
from node.core import messages as core
from p2pchat.v1 import node_pb2 as pb


def put_ping(ping: core.Ping) -> pb.LivenessPingRequest:
    return pb.LivenessPingRequest(
        caller=facts.put_caller(ping.caller),
        view=None if ping.view is None else facts.put_view(ping.view),
        asks_leading=None if ping.asks_leading is None else facts.put_epoch(ping.asks_leading),
        votes=ping.votes,
        destination_id=ping.on_behalf,
    )


def get_ping(p: pb.LivenessPingRequest, check: Check) -> core.Ping:
    asks = p.HasField("asks_leading")
    return core.Ping(
        caller=facts.get_required_caller(p, check, member=False),
        view=facts.get_view(p.view, check) if p.HasField("view") else None,
        asks_leading=facts.get_epoch(p.asks_leading, check, "asks_leading") if asks else None,
        votes=facts.get_members(p.votes, check, "votes"),
        on_behalf=check.number(p.destination_id, "destination_id"),
    )


def put_pong(pong: core.Pong) -> pb.LivenessPingResponse:
    return pb.LivenessPingResponse(
        standing=pb.Standing.ValueType(pong.standing),
        view=facts.put_view(pong.view),
        reached=pong.reached,
        refused=pong.refused,
    )


def get_pong(p: pb.LivenessPingResponse, check: Check) -> core.Pong:
    standing = check.option(core.Standing, p.standing, "standing")
    return core.Pong(standing, facts.get_required_view(p, check), p.reached, p.refused)


def put_elect(elect: core.Elect) -> pb.ElectionRequest:
    return pb.ElectionRequest(
        caller=facts.put_caller(elect.caller),
        view=facts.put_view(elect.view),
        leaving=elect.leaving,
        hand_over=elect.hand_over,
    )


def get_elect(p: pb.ElectionRequest, check: Check) -> core.Elect:
    caller = facts.get_required_caller(p, check)
    view = facts.get_required_view(p, check)
    return core.Elect(caller, view, hand_over=p.hand_over, leaving=p.leaving)


def put_elected(elected: core.Elected) -> pb.ElectionResponse:
    return pb.ElectionResponse(
        ok=elected.ok,
        reaches_nds=elected.reaches_nds,
        vote=pb.Vote.ValueType(elected.vote),
        view=facts.put_view(elected.view),
        about_provisional=elected.about_provisional,
    )


def get_elected(p: pb.ElectionResponse, check: Check) -> core.Elected:
    vote = check.option(core.Vote, p.vote, "vote")
    return core.Elected(
        p.ok, p.reaches_nds, vote, facts.get_required_view(p, check), p.about_provisional
    )


def put_coordinator(coordinator: core.Coordinator) -> pb.CoordinatorRequest:
    return pb.CoordinatorRequest(
        caller=facts.put_caller(coordinator.caller),
        view=facts.put_view(coordinator.view),
        provisional=coordinator.provisional,
        handed_over_by=coordinator.handed_over_by,
        handed_over_leaving=coordinator.handed_over_leaving,
    )


def get_coordinator(p: pb.CoordinatorRequest, check: Check) -> core.Coordinator:
    return core.Coordinator(
        caller=facts.get_required_caller(p, check),
        view=facts.get_required_view(p, check),
        provisional=p.provisional,
        handed_over_by=check.number(p.handed_over_by, "handed_over_by"),
        handed_over_leaving=p.handed_over_leaving,
    )


def put_followed(followed: core.Followed) -> pb.CoordinatorResponse:
    return pb.CoordinatorResponse(stale=followed.stale, view=facts.put_view(followed.view))


def get_followed(p: pb.CoordinatorResponse, check: Check) -> core.Followed:
    return core.Followed(p.stale, facts.get_required_view(p, check))
