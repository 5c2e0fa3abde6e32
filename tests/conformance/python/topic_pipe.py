from primitives import open_, same, seal, u64, unhex
from session import example


def check(vectors):
    _, keys = example(0x01)
    for direction in vectors:
        key = keys[f"pipe_{direction['sender']}"]
        same("key", key, direction["key"])
        for n, v in enumerate(direction["messages"]):
            plaintext, nonce = unhex(v["plaintext"]), bytes(4) + u64(n)
            assert len(plaintext) == 459 and n == v["counter"]
            sealed = seal(key, nonce, b"", plaintext)
            same("sealed", sealed, v["sealed"])
            assert len(sealed) == 475 and open_(key, nonce, b"", sealed) == plaintext
