"""Noise, revision 34, as far as docs/protocol.md uses it: three patterns, no transport phase."""

from primitives import agree, blake2s, hmac_blake2s, open_, public, seal

PATTERNS = {  # pre-messages, then the two messages
    "KKpsk0": (("is", "rs"), ("psk", "e", "es", "ss"), ("e", "ee", "se")),
    "IKpsk1": (("rs",), ("e", "es", "s", "ss", "psk"), ("e", "ee", "se")),
    "KK": (("is", "rs"), ("e", "es", "ss"), ("e", "ee", "se")),
}


def hkdf(ck, ikm, outputs):
    temp, out = hmac_blake2s(ck, ikm), [b""]
    for n in range(1, outputs + 1):
        out.append(hmac_blake2s(temp, out[-1] + bytes([n])))
    return out[1:]


class Symmetric:
    def __init__(self, pattern, prologue):
        name = f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2s".encode()
        assert len(name) > 32
        self.h = self.ck = blake2s(name)
        self.k, self.n = None, 0
        self.mix_hash(prologue)

    def mix_hash(self, data):
        self.h = blake2s(self.h + data)

    def mix_key(self, ikm):
        self.ck, self.k = hkdf(self.ck, ikm, 2)
        self.n = 0

    def mix_key_and_hash(self, ikm):
        self.ck, temp, self.k = hkdf(self.ck, ikm, 3)
        self.mix_hash(temp)
        self.n = 0

    def _nonce(self):
        nonce = bytes(4) + self.n.to_bytes(8, "little")
        self.n += 1
        return nonce

    def encrypt(self, plaintext):
        out = seal(self.k, self._nonce(), self.h, plaintext)
        self.mix_hash(out)
        return out

    def decrypt(self, sealed):
        out = open_(self.k, self._nonce(), self.h, sealed)
        self.mix_hash(sealed)
        return out


class Side:
    """One side of a handshake; `keys` holds secrets s, e and the peer's publics rs, re."""

    def __init__(self, pattern, initiator, prologue, s, e, rs=None, psk=None):
        self.pattern, self.initiator, self.psk = pattern, initiator, psk
        self.s, self.e, self.rs, self.re = s, e, rs, None
        self.sym = Symmetric(pattern, prologue)
        for token in PATTERNS[pattern][0]:
            mine = (token == "is") == initiator
            self.sym.mix_hash(public(s) if mine else rs)

    def _dh(self, token):
        mine, theirs = token if self.initiator else token[::-1]
        secret = self.s if mine == "s" else self.e
        point = self.rs if theirs == "s" else self.re
        self.sym.mix_key(agree(secret, point))

    def _mix_ephemeral(self, point):
        self.sym.mix_hash(point)
        if "psk" in self.pattern:
            self.sym.mix_key(point)

    def write(self, number, payload):
        out = b""
        for token in PATTERNS[self.pattern][number]:
            if token == "e":
                out += public(self.e)
                self._mix_ephemeral(public(self.e))
            elif token == "s":
                out += self.sym.encrypt(public(self.s))
            elif token == "psk":
                self.sym.mix_key_and_hash(self.psk)
            else:
                self._dh(token)
        return out + self.sym.encrypt(payload)

    def read(self, number, message):
        for token in PATTERNS[self.pattern][number]:
            if token == "e":
                self.re, message = message[:32], message[32:]
                self._mix_ephemeral(self.re)
            elif token == "s":
                self.rs, message = self.sym.decrypt(message[:48]), message[48:]
            elif token == "psk":
                self.sym.mix_key_and_hash(self.psk)
            else:
                self._dh(token)
        return self.sym.decrypt(message)

    def split(self):
        return hkdf(self.sym.ck, b"", 2)
