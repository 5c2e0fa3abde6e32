"""Replays the issuer's side of a short history and compares every batch, PSK and burnt slot."""

from primitives import expand, same, u8, u16, u32, unhex
from session import CALLEE, CALLER
from topic_mailbox import mailbox_id, slot_order, token, token_key

ROLES = {"caller": CALLER, "callee": CALLEE}


def step(secret):
    return expand(secret, "tacit/1 next batch")


def psk(secret, issuer, mailbox, shown):
    return expand(secret, "tacit/1 psk", issuer + mailbox + shown[:4])


def encode(secret, issuer, mailbox, batch, after, tokens):
    check_value = expand(secret, "tacit/1 batch check", issuer + mailbox + u32(batch))[:4]
    return u32(batch) + u32(after) + check_value + u8(len(tokens)) + b"".join(tokens)


def check(vectors):
    secret = unhex(vectors["mailbox_secret"])
    mailbox, key, order = mailbox_id(secret), token_key(secret, 0), slot_order(secret, 0)
    chain, issuer = unhex(vectors["first_batch_secret"]), ROLES[vectors["issuer"]]
    handed, batches = 0, []
    # Batch number, last one known to have arrived, tokens: as the four steps are described.
    for v, (batch, after, count) in zip(vectors["steps"], ((1, 0, 8), (2, 1, 8), (3, 1, 8), (4, 3, 4))):
        if batch == 4:
            chain, issuer = unhex(vectors["resync_batch_secret"]), ROLES[vectors["resync_issuer"]]
        slots = order[handed : handed + count]
        handed += count
        tokens = [token(key, mailbox, 0, slot) for slot in slots]
        same(v["what"], encode(chain, issuer, mailbox, batch, after, tokens), v["refill"])
        same("batch", [batch, after], [v["batch"], v["after"]])
        same("psks", [psk(chain, issuer, mailbox, t).hex() for t in tokens], v["psks"])
        chain = step(chain)
        batches.append(tokens)
    # The holder rings with its oldest token; batch 2 was burnt; the RESYNC burns batches 1 and 3.
    same("rung", batches[0][0], vectors["rung"])
    bitmap = bytearray(256)
    for shown in batches[0] + batches[1] + batches[2]:
        slot = int.from_bytes(shown[2:4], "big")
        bitmap[slot // 8] |= 1 << slot % 8
    same("spent bitmap", bytes(bitmap), vectors["spent_bitmap"])
    same("outstanding", len(batches[3]), vectors["outstanding"])
    assert u16(0) == batches[3][0][:2]
