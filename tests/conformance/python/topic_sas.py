from primitives import expand, same, tagged_hash, unhex
from session import example


def word(n):
    return "bfglmrst"[n >> 7] + "aiou"[n >> 5 & 3] + "dlnprstv"[n >> 2 & 7] + "aiou"[n & 3]


def check(vectors):
    same("words", [word(n) for n in range(1024)], vectors["words"])
    assert len(set(vectors["words"])) == 1024
    for v in vectors["exchanges"]:
        h, keys = example(unhex(v["handshake_hash"])[0])
        same("h", h, v["handshake_hash"])
        same("SAS secret", keys["sas_secret"], v["sas_secret"])
        caller, callee = unhex(v["caller_nonce"]), unhex(v["callee_nonce"])
        same("commitment", tagged_hash("tacit/1 sas commit", h + b"\0" + caller), v["commitment"])
        value = expand(keys["sas_secret"], "tacit/1 sas words", caller + callee)
        bits = int.from_bytes(value[:3], "big") >> 4
        same("words", [word(bits >> 10), word(bits & 1023)], v["words"])
