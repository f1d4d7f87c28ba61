"""Just enough of HTTP/2 to speak it wrongly: frames, and headers that are never compressed."""

import struct
from collections.abc import Mapping
from random import Random

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8
ACK = 0x1


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"", lie: int = 0) -> bytes:
    """A frame; `lie` is added to its length."""
    length = (len(payload) + lie) & 0xFFFFFF
    head = struct.pack(">I", length)[1:] + bytes([kind & 0xFF, flags & 0xFF])
    return head + struct.pack(">I", stream & 0xFFFFFFFF) + payload


OPENING = PREFACE + frame(SETTINGS)


def hpack(fields: Mapping[str, str | bytes]) -> bytes:
    """Literal fields without indexing and without Huffman."""
    out = bytearray()
    for name, value in fields.items():
        raw = value if isinstance(value, bytes) else value.encode()
        out += b"\x00" + _string(name.encode()) + _string(raw)
    return bytes(out)


def _string(raw: bytes) -> bytes:
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    out, rest = bytearray([127]), len(raw) - 127
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*out, rest]) + raw


def request(stream: int, path: str, /, **changes: str | bytes) -> bytes:
    """The headers of a call; `changes` by names in which _ stands for -, empty: left out."""
    fields: dict[str, str | bytes] = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    pseudo = {"method", "scheme", "path", "authority"}
    for name, value in changes.items():
        fields[f":{name}" if name in pseudo else name.replace("_", "-")] = value
    kept = {name: value for name, value in fields.items() if value != ""}
    return frame(HEADERS, END_HEADERS, stream, hpack(kept))


def message(payload: bytes, *, compressed: int = 0, lie: int = 0) -> bytes:
    """A gRPC message with its prefix; `lie` is added to its length."""
    length = (len(payload) + lie) & 0xFFFFFFFF
    return bytes([compressed]) + struct.pack(">I", length) + payload


def data(stream: int, payload: bytes, flags: int = END_STREAM) -> bytes:
    return frame(DATA, flags, stream, payload)


# ---- whole connections ---------------------------------------------------------------------------


def rubbish(rng: Random) -> bytes:
    """Frames of any kind, some of them lying about their length."""
    out = OPENING if rng.random() < 0.9 else PREFACE
    for _ in range(rng.randrange(1, 40)):
        size = rng.choice((0, 1, 4, 5, 6, 8, 9, 30, 300))
        lie = rng.choice((0, 0, 0, 0, 1, -1, 16_384, 0xFFFFFF))
        out += frame(
            rng.randrange(12), rng.getrandbits(8), rng.choice((0, 1, 2, 3, 2**31, 7)),
            rng.randbytes(size), max(lie, -size),
        )  # fmt: skip
    return out


def flood(rng: Random, path: str) -> bytes:
    """Thousands of frames that each cost their receiver something."""
    kind = rng.randrange(7)
    count = 2_000
    match kind:
        case 0:  # CVE-2023-44487: open and reset
            pairs = (
                request(2 * i + 1, path) + frame(RST_STREAM, 0, 2 * i + 1, b"\0\0\0\x08")
                for i in range(count)
            )
            return OPENING + b"".join(pairs)
        case 1:
            return OPENING + frame(PING, 0, 0, b"12345678") * count
        case 2:
            return OPENING + frame(SETTINGS, 0, 0, b"\0\x04\0\0\0\0" * 5) * count
        case 3:
            return OPENING + frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 3
        case 4:
            opened = frame(HEADERS, 0, 1, hpack({":method": "POST"}))
            return OPENING + opened + frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 50) * count
        case 5:
            return OPENING + frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\x0b" + b"enhance" * 100) * 50
        case _:
            return OPENING + b"".join(request(2 * i + 1, path) for i in range(500))


def calls(rng: Random, path: str, good: bytes) -> bytes:
    """One call with something wrong about it, between HTTP/2 and gRPC."""
    out = OPENING
    change: dict[str, str | bytes] = rng.choice(
        [
            {"content_type": "text/html"},
            {"content_type": ""},
            {"content_type": "application/grpc+json"},
            {"te": ""},
            {"method": "GET"},
            {"method": "PRI"},
            {"path": ""},
            {"path": "*"},
            {"path": path + "/../x" * 100},
            {"path": b"/\xff\xfe"},
            {"authority": ""},
            {"grpc_encoding": "gzip"},
            {"grpc_encoding": "deflate"},
            {"grpc_encoding": "rot13"},
            {"grpc_timeout": "99999999999H"},
            {"grpc_timeout": "-1S"},
            {"grpc_timeout": "0n"},
            {"x_many": "y" * 20_000},
            {"x_bin": b"\x00\xff"},
            {},
        ]
    )
    out += request(1, path, **change)
    if change.get("grpc_encoding") or rng.random() < 0.2:
        return out + data(1, message(rng.randbytes(50), compressed=1))
    match rng.randrange(7):
        case 0:
            body = message(good, lie=rng.choice((1, 100, 2**20, 2**32 - 1 - len(good))))
        case 1:
            body = message(good, lie=-min(len(good), 3))
        case 2:
            body = message(good) * 3
        case 3:
            body = message(good, compressed=rng.randrange(2, 256))
        case 4:
            body = message(good)[: rng.randrange(6)]
        case 5:
            return out + data(1, message(good), 0) + frame(RST_STREAM, 0, 1, b"\0\0\0\x08")
        case _:
            body = b""
    return out + data(1, body, rng.choice((END_STREAM, END_STREAM, 0)))
