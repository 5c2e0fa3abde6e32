from noise import Side
from primitives import agree, blake2s, public, same, u8, unhex
from session import derive


def check(vectors):
    for v in vectors:
        check_one(v)
    for point in (bytes(32), b"\x01" + bytes(31)):
        try:
            agree(bytes([7] * 32), point)
        except ValueError:
            continue
        raise AssertionError("a key of low order was taken")


def check_one(v):
    name = v["name"]
    prologue = b"tacit/1" + u8(v["purpose"]) + unhex(v["hello_nonce"]) + unhex(v["server"])
    prologue += unhex(v["mailbox_id"]) + unhex(v["token"])
    same(f"{name}: prologue", prologue, v["prologue"])
    assert len(prologue) == 108
    caller_static, callee_static = unhex(v["caller_static"]), unhex(v["callee_static"])
    same(f"{name}: caller's public key", public(caller_static), v["caller_public"])
    same(f"{name}: callee's public key", public(callee_static), v["callee_public"])
    psk = unhex(v["psk"]) if v["psk"] else None
    known = public(caller_static) if v["pattern"] != "IKpsk1" else None
    caller = Side(
        v["pattern"], True, prologue, caller_static, unhex(v["caller_ephemeral"]), public(callee_static), psk
    )
    callee = Side(v["pattern"], False, prologue, callee_static, unhex(v["callee_ephemeral"]), known, psk)
    message1 = caller.write(1, unhex(v["payload1"]))
    same(f"{name}: message 1", message1, v["message1"])
    same(f"{name}: payload 1", callee.read(1, message1), v["payload1"])
    assert callee.rs == public(caller_static)
    message2 = callee.write(2, unhex(v["payload2"]))
    same(f"{name}: message 2", message2, v["message2"])
    same(f"{name}: payload 2", caller.read(2, message2), v["payload2"])
    assert caller.split() == callee.split() and caller.sym.h == callee.sym.h
    same(f"{name}: glare rank", blake2s(message1), v["glare_rank"])
    keys = derive(caller.sym.h, *caller.split())
    for key, value in v["keys"].items():
        same(f"{name}: {key}", keys["leg_secret"](0) if key == "leg_secret_0" else keys[key], value)
