"""Members that talk while others are hostile: a process of its own, told on stdout each second.

    python -m tests.fuzz.honest CHAT PACE SOCKET...

Each socket's member says PACE lines a second, each waiting until all have acknowledged it, until
stdin ends.  A line of JSON a second: lines and acknowledgements so far, the slowest of that second.
"""

import json
import sys
import threading
import time
from dataclasses import dataclass, field

import grpc

from p2pchat.v1 import control_pb2, control_pb2_grpc

WAIT_MS = 10_000


@dataclass
class Count:
    """What all writers have got so far."""

    said: list[str] = field(default_factory=list)
    acked: int = 0
    slowest_ms: int = 0
    failed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def write(socket: str, chat: str, pace: float, count: Count, over: threading.Event) -> None:
    """Says lines one after the other, as fast as `pace` allows."""
    with grpc.insecure_channel(f"unix:{socket}", options=[("grpc.enable_http_proxy", 0)]) as made:
        stub = control_pb2_grpc.ControlStub(made)
        began, number = time.monotonic(), 0
        while not over.wait(max(0.0, began + number / pace - time.monotonic())):
            number += 1
            text = f"honest {socket[-40:]} {began:.3f} {number}"
            asked = time.monotonic()
            try:
                request = control_pb2.SendRequest(
                    chat=chat, text=text, wait=control_pb2.WAIT_ALL, wait_ms=WAIT_MS
                )
                last = list(stub.Send(request, timeout=WAIT_MS / 1000 + 5))[-1]
            except grpc.RpcError as error:
                with count.lock:
                    count.failed.append(f"{socket}: {text}: {error}")
                continue
            with count.lock:
                count.said.append(text)
                count.acked += last.acked
                count.slowest_ms = max(count.slowest_ms, int(1000 * (time.monotonic() - asked)))


def main() -> int:
    chat, pace, *sockets = sys.argv[1:]
    count, over = Count(), threading.Event()
    writers = [
        threading.Thread(target=write, args=(socket, chat, float(pace), count, over))
        for socket in sockets
    ]

    def tell() -> None:
        while not over.wait(1.0):
            with count.lock:
                told = {
                    "said": len(count.said),
                    "acked": count.acked,
                    "slowest_ms": count.slowest_ms,
                    "failed": count.failed[:5],
                }
                count.slowest_ms = 0
            print(json.dumps(told), flush=True)

    telling = threading.Thread(target=tell)
    for thread in (*writers, telling):
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in (*writers, telling):
        thread.join()
    print(json.dumps({"texts": count.said, "acked": count.acked, "failed": count.failed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
