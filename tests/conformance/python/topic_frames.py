"""Signaling frames and payloads, written from the tables of docs/protocol.md."""

import ipaddress

from primitives import same, u8, u16, u32, u64, unhex


def check(vectors):
    for v in vectors["frames"]:
        frame = pad(FRAMES[v["name"]](v["fields"]), 480)
        same(v["name"], frame, v["bytes"])
    for v in vectors["payloads"]:
        encode, room = PAYLOADS[v["name"]]
        same(v["name"], pad(encode(v["fields"]), room), v["bytes"])
    seen = {v["name"] for v in vectors["frames"]}, {v["name"] for v in vectors["payloads"]}
    assert seen == (set(FRAMES), set(PAYLOADS)), "every frame and payload has a vector"


def pad(data, room):
    assert len(data) <= room
    return data + bytes(room - len(data))


# --- blocks ---


def address(text):
    ip = ipaddress.ip_address(text)
    return u8(ip.version) + pad(ip.packed, 16)


def candidates(c):
    if c is None:
        return bytes(50)
    ports = b"".join(u16(port) for port in c["ports"])
    return address(c["address"]) + u8(len(c["ports"])) + pad(ports, 32)


def refill(r, room):
    if r is None:
        return bytes(13 + 20 * room)
    tokens = b"".join(unhex(token) for token in r["tokens"])
    head = u32(r["batch"]) + u32(r["after"]) + unhex(r["check"]) + u8(len(r["tokens"]))
    return pad(head + tokens, 13 + 20 * room)


def optional(data, room):
    return bytes(1 + room) if data is None else u8(1) + pad(data, room)


def optional_token(token):
    return optional(None if token is None else unhex(token), 20)


def move(m):
    kind = {"embedded": 1, "operated": 2}[m["hosting"]]
    discovery = bytes(32)
    if m["discovery"] is not None:
        kind, discovery = kind + 16, unhex(m["discovery"])
    place = u8(kind) + unhex(m["server"]) + unhex(m["mailbox_id"]) + discovery
    data = u32(m["sequence"]) + place + optional_token(m["resync"])
    assert len(data) == 106
    return data


def optional_move(m):
    return optional(None if m is None else move(m), 106)


def leg_kind(name):
    return u8({"onion": 1, "turn": 2}[name])


# --- frames: byte 0 is the type ---


def hello(f):
    services = (1 if f["attach"] else 0) + (2 if f["credentials"] else 0)
    limits = u16(f["idle_seconds"]) + u16(f["frame_seconds"]) + u16(f["handles"])
    return u8(0x03) + u8(f["lowest"]) + u8(f["highest"]) + u8(services) + unhex(f["nonce"]) + limits


def attach(f):
    head = u8(0x05) + u8(1) + unhex(f["attach_secret"]) + u16(f["generation"]) + unhex(f["token_key"])
    return head + u16(f["ring_burst"]) + u16(f["ring_interval_seconds"]) + unhex(f["spent"])


def attached(f):
    status = {"accepted": 1, "refused": 2, "replaced": 3}[f["status"]]
    return u8(0x06) + u8(status) + u16(f["generation"])


def cred(f):
    head = u8(0x0A) + u8({"tls": 1, "plain": 2}[f["transport"]]) + address(f["address"]) + u16(f["port"])
    head += unhex(f["key_pin"]) + u32(f["lifetime_seconds"]) + u8(len(f["credentials"]))
    assert len(head) == 58
    return head + b"".join(pad(text.encode(), 32) for pair in f["credentials"] for text in pair)


def ring(f):
    head = u8(0x0C) + u8(1) + unhex(f["mailbox_id"]) + u8(f["purpose"]) + unhex(f["token"])
    assert len(head) == 39
    return head + unhex(f["message1"])


def ring_in(f):
    head = u8(0x0F) + u32(f["handle"]) + u16(f["generation"]) + u16(f["index"]) + u8(f["purpose"])
    return head + unhex(f["nonce"]) + unhex(f["message1"])


FRAMES = {
    "HELLO": hello,
    "ATTACH": attach,
    "ATTACHED": attached,
    "CRED-GET": lambda f: u8(0x09) + u8(1),
    "CRED": cred,
    "RING": ring,
    "RING-IN": ring_in,
    "ANSWER": lambda f: u8(0x11) + u32(f["handle"]) + unhex(f["message2"]),
    "PIPE": lambda f: u8(0x12) + u32(f["handle"]) + unhex(f["ciphertext"]),
    "NAK": lambda f: u8(0x14),
    "PING": lambda f: u8(0x17) + u8(1 if f["echo"] else 0) + u64(f["number"]),
}


# --- payloads ---


def call_1(f):
    head = u8(f["highest_version"]) + leg_kind(f["leg_kind"]) + u8(f["legs"]) + bytes(f["codec"])
    head += candidates(f["candidates"]) + u32(f["last_batch"])
    assert len(head) == 61
    return head + refill(f["refill"], 8) + optional_move(f["move"])


def call_2(f):
    head = u8(f["status"]) + u8(f["highest_version"]) + leg_kind(f["leg_kind"]) + u8(f["legs"])
    return head + candidates(f["candidates"]) + u32(f["last_batch"]) + refill(f["refill"], 16)


def join_1(f):
    return u8(f["highest_version"]) + move(f["move"]) + refill(f["refill"], 8)


def join_2(f):
    head = u8(f["status"]) + u8(f["highest_version"])
    return head + optional_move(f["move"]) + refill(f["refill"], 15)


def resync_1(f):
    head = u8(f["highest_version"]) + u32(f["last_batch"])
    return head + refill(f["refill"], 16) + optional_token(f["resync"])


def resync_2(f):
    return u8(f["status"]) + resync_1(f)


def pipe(f):
    kind = f["kind"]
    body = {
        0: lambda: b"",
        1: lambda: u32(f["last_batch"]),
        2: lambda: b"",
        3: lambda: b"",
        4: lambda: candidates(f["candidates"]),
        5: lambda: u32(f["last_batch"]) + refill(f["refill"], 16),
        6: lambda: move(f["move"]),
    }[kind]
    return u8(kind) + body()


PAYLOADS = {
    "call message 1": (call_1, 390),
    "call message 2": (call_2, 427),
    "join message 1": (join_1, 342),
    "join message 2": (join_2, 427),
    "resync message 1": (resync_1, 390),
    "resync message 2": (resync_2, 427),
    "PIPE plaintext": (pipe, 459),
}
