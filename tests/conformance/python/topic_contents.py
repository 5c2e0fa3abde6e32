from primitives import same, u8, u16, u32, unhex

SIZE = 424


def report(v):
    return u16(v["slot"]) + u8(v["sender_leg"]) + u8(v["receiver_leg"]) + u16(v["hold"])


def frames(v, room):
    """As many as fit, the newest first; one that finds no room is left out."""
    out, carried = b"", []
    for frame in v["frames"]:
        frame = unhex(frame) if frame else b""
        fits = len(out) + 1 + len(frame) <= room
        out += u8(len(frame)) + frame if fits else b"\0"
        carried.append(fits and frame != b"")
    return out[:room], carried


def encode(v):
    body = unhex(v["body"])
    fixed = u32(v["slot"]) + u32(v["sent_at"]) + u32(v["newest"])
    fixed += u8(v["nearest"]) + u8(v["farthest"]) + u8(len(v["reports"]))
    fixed += u16(v["sequence"]) + u16(v["acknowledged"]) + u8(v["kind"]) + u8(len(body))
    assert len(fixed) == 21
    fixed += b"".join(report(r) for r in v["reports"]) + body
    packed, carried = frames(v, SIZE - len(fixed))
    return (fixed + packed).ljust(SIZE, b"\0"), carried


def decode_frames(plain):
    at = 21 + 6 * plain[14] + plain[20]
    found = []
    for _ in range(7):
        length = plain[at] if at < SIZE else 0
        found.append(plain[at + 1 : at + 1 + length])
        at += 1 + length
    return found


def check(vectors):
    for v in vectors:
        plain, carried = encode(v)
        same("plaintext", plain, v["plaintext"])
        same("carried", carried, v["carried"])
        wanted = [unhex(f) if f and c else b"" for f, c in zip(v["frames"], carried)]
        assert decode_frames(plain) == wanted
