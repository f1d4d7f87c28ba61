"""Every method of every service, as the servers name them: a new one is fuzzed unasked."""

from collections.abc import Iterable

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from msgspec import Struct

from p2pchat.v1 import control_pb2, nds_pb2, node_pb2
from tests.waiting import WAIT_S

# Importing them puts them into the pool in which services are found by name.
KNOWN = (control_pb2, nds_pb2, node_pb2, health_pb2, reflection_pb2)
OURS = "p2pchat.v1."


class Rpc(Struct, frozen=True):
    """One method."""

    service: str  # its full name
    method: str
    request: Descriptor
    streams_in: bool
    streams_out: bool

    @property
    def name(self) -> str:
        """Node/Message: unique among all servers."""
        return f"{self.service.rpartition('.')[2]}/{self.method}"

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.method}"

    @property
    def ours(self) -> bool:
        """Whether it must keep our rules about statuses; others keep gRPC's."""
        return self.service.startswith(OURS)


def rpcs_of(services: Iterable[str]) -> list[Rpc]:
    """The methods of services, by their full names."""
    pool = descriptor_pool.Default()
    found = [pool.FindServiceByName(name) for name in sorted(services)]
    return [_rpc(service.full_name, method) for service in found for method in service.methods]


def _rpc(service: str, method: MethodDescriptor) -> Rpc:
    return Rpc(
        service,
        method.name,
        method.input_type,
        bool(method.client_streaming),
        bool(method.server_streaming),
    )


def known() -> list[Rpc]:
    """The methods of all services that our servers may have."""
    files = [module.DESCRIPTOR for module in KNOWN]
    return rpcs_of(one.full_name for file in files for one in file.services_by_name.values())


def served(channel: grpc.Channel) -> list[Rpc]:
    """The methods of the server at the other end, which it names by reflection."""
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    answers = list(stub.ServerReflectionInfo(iter([ask]), timeout=WAIT_S))
    return rpcs_of(one.name for one in answers[0].list_services_response.service)
