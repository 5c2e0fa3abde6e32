"""The keys of a session: docs/protocol.md, "Keys and derivations"."""

from primitives import expand, extract, u8

CALLER, CALLEE = b"\x00", b"\x01"


def derive(h, k1, k2):
    root = extract(h, k1 + k2)
    keys = {"root": root, "sas_secret": expand(root, "tacit/1 sas"), "handshake_hash": h}
    for name, role in (("caller", CALLER), ("callee", CALLEE)):
        keys[f"pipe_{name}"] = expand(root, "tacit/1 pipe", role)
        keys[f"media_{name}"] = expand(root, "tacit/1 media", role)
        keys[f"mask_{name}"] = expand(root, "tacit/1 mask", role)
        keys[f"first_batch_{name}"] = expand(root, "tacit/1 first batch", role)
    legs = expand(root, "tacit/1 legs")
    keys["leg_secret"] = lambda index: expand(legs, "tacit/1 leg", u8(index))
    return keys


def example(first):
    """The session that several topics use: h, k1 and k2 are bytes that count up."""

    def counting(start):
        return bytes((start + n) % 256 for n in range(32))

    return counting(first), derive(counting(first), counting(first ^ 0x20), counting(first ^ 0x40))
