from primitives import blake2s, expand, same, tagged_hash, u16, unhex

RESERVED = 65535


def attach_secret(mailbox_secret):
    return expand(mailbox_secret, "tacit/1 attach")


def mailbox_id(mailbox_secret):
    return tagged_hash("tacit mailbox", attach_secret(mailbox_secret))[:16]


def token_key(mailbox_secret, generation):
    if generation == RESERVED:
        return expand(attach_secret(mailbox_secret), "tacit/1 reserved key")
    return expand(mailbox_secret, "tacit/1 token key", u16(generation))


def slot_order(mailbox_secret, generation):
    key = expand(mailbox_secret, "tacit/1 slot order", u16(generation))
    return sorted(range(2048), key=lambda slot: blake2s(u16(slot), key))


def token(key, mailbox, generation, index):
    tag = blake2s(mailbox + u16(generation) + u16(index), key, 16)
    return u16(generation) + u16(index) + tag


def good(key, mailbox, shown):
    generation, index = int.from_bytes(shown[:2], "big"), int.from_bytes(shown[2:4], "big")
    return index < 2048 and token(key, mailbox, generation, index) == shown


def check(vectors):
    for v in vectors["mailboxes"]:
        secret = unhex(v["mailbox_secret"])
        same("attach secret", attach_secret(secret), v["attach_secret"])
        same("mailbox id", mailbox_id(secret), v["mailbox_id"])
        same("reserved key", token_key(secret, RESERVED), v["reserved_key"])
        for g in v["generations"]:
            number = g["generation"]
            same("token key", token_key(secret, number), g["token_key"])
            same("slot key", expand(secret, "tacit/1 slot order", u16(number)), g["slot_key"])
            same("slot order", b"".join(map(u16, slot_order(secret, number))), g["slot_order"])
    for v in vectors["tokens"]:
        key, mailbox, shown = (unhex(v[name]) for name in ("token_key", "mailbox_id", "token"))
        same(f"token: {v['what']}", good(key, mailbox, shown), v["good"])
