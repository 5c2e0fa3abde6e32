"""Primitives of docs/protocol.md, standard library only: slow, plain, and independent of the Rust code."""

import hashlib
import hmac

# --- BLAKE2s, HMAC, and the page's Hash, Extract, Expand ---


def blake2s(data, key=b"", size=32):
    return hashlib.blake2s(data, digest_size=size, key=key).digest()


def hmac_blake2s(key, data):
    return hmac.new(key, data, hashlib.blake2s).digest()


def tagged_hash(label, data):
    return blake2s(label.encode() + b"\0" + data)


def extract(salt, ikm):
    return hmac_blake2s(salt, ikm)


def expand(key, label, context=b""):
    return hmac_blake2s(key, label.encode() + b"\0" + context + b"\x01")


def u8(n):
    return n.to_bytes(1, "big")


def u16(n):
    return n.to_bytes(2, "big")


def u32(n):
    return n.to_bytes(4, "big")


def u64(n):
    return n.to_bytes(8, "big")


# --- X25519, RFC 7748 ---

P = 2**255 - 19


def x25519(secret, point):
    k = int.from_bytes(secret, "little")
    k = (k & ~7 & (2**255 - 1)) | 2**254
    x1 = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swap = bit
        a, b = x2 + z2, x2 - z2
        aa, bb = a * a % P, b * b % P
        e = aa - bb
        da, cb = (x3 - z3) * a % P, (x3 + z3) * b % P
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public(secret):
    return x25519(secret, u8(9) + bytes(31))


def agree(secret, point):
    shared = x25519(secret, point)
    if shared == bytes(32):
        raise ValueError("a key of low order")
    return shared


# --- ChaCha20-Poly1305, RFC 8439 ---

MASK = 0xFFFFFFFF


def _quarter(s, a, b, c, d):
    for x, y, z, r in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & MASK
        v = s[z] ^ s[x]
        s[z] = (v << r | v >> (32 - r)) & MASK


def _words(data):
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]


def chacha20_block(key, counter, nonce):
    start = _words(b"expand 32-byte k" + key + counter.to_bytes(4, "little") + nonce)
    s = list(start)
    for _ in range(10):
        for a in range(4):
            _quarter(s, a, a + 4, a + 8, a + 12)
        for a in range(4):
            _quarter(s, a, (a + 1) % 4 + 4, (a + 2) % 4 + 8, (a + 3) % 4 + 12)
    return b"".join(((x + y) & MASK).to_bytes(4, "little") for x, y in zip(s, start))


def chacha20(key, counter, nonce, data):
    out = bytearray()
    for i in range(0, len(data), 64):
        block = chacha20_block(key, counter + i // 64, nonce)
        out += bytes(x ^ y for x, y in zip(data[i : i + 64], block))
    return bytes(out)


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    acc = 0
    for i in range(0, len(data), 16):
        acc = (acc + int.from_bytes(data[i : i + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((acc + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def _tag(key, nonce, ad, ciphertext):
    def pad(x):
        return x + bytes(-len(x) % 16)

    lengths = len(ad).to_bytes(8, "little") + len(ciphertext).to_bytes(8, "little")
    return poly1305(chacha20_block(key, 0, nonce)[:32], pad(ad) + pad(ciphertext) + lengths)


def seal(key, nonce, ad, plaintext):
    ciphertext = chacha20(key, 1, nonce, plaintext)
    return ciphertext + _tag(key, nonce, ad, ciphertext)


def open_(key, nonce, ad, sealed):
    ciphertext, tag = sealed[:-16], sealed[-16:]
    if not hmac.compare_digest(tag, _tag(key, nonce, ad, ciphertext)):
        raise ValueError("does not authenticate")
    return chacha20(key, 1, nonce, ciphertext)


# --- for the topics ---


def unhex(text):
    return bytes.fromhex(text)


def same(what, ours, theirs):
    """Raises unless both are equal; bytes are shown as hex."""
    if isinstance(ours, bytes):
        ours = ours.hex()
    if ours != theirs:
        raise AssertionError(f"{what}: computed {ours}, the vector says {theirs}")
