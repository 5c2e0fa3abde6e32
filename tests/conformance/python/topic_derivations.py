from primitives import expand, extract, same, tagged_hash, unhex
from session import derive


def check(vectors):
    v = vectors["hash"]
    same("hash", tagged_hash(v["label"], unhex(v["data"])), v["out"])
    v = vectors["extract"]
    same("extract", extract(unhex(v["salt"]), unhex(v["ikm"])), v["out"])
    v = vectors["expand"]
    same("expand", expand(unhex(v["key"]), v["label"], unhex(v["context"])), v["out"])
    v = vectors["session"]
    keys = derive(unhex(v["handshake_hash"]), unhex(v["k1"]), unhex(v["k2"]))
    for name, value in v.items():
        if name in keys and name != "leg_secret":
            same(name, keys[name], value)
    for leg in v["leg_secrets"]:
        same(f"leg {leg['leg']}", keys["leg_secret"](leg["leg"]), leg["secret"])
