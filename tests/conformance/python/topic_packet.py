from primitives import blake2s, expand, open_, same, seal, u8, u16, unhex
from session import example


def check(vectors):
    _, keys = example(0x01)
    mask_key = keys[f"mask_{vectors['direction']}"]
    same("mask key", mask_key, vectors["mask_key"])
    chain = [keys[f"media_{vectors['direction']}"]]
    while len(chain) < len(vectors["chain"]):
        chain.append(expand(chain[-1], "tacit/1 next epoch"))
    same("chain", [value.hex() for value in chain], vectors["chain"])
    sequences = {}
    for v in vectors["packets"]:
        path = u8(v["sender_leg"]) + u8(v["receiver_leg"])
        epoch, sequence = v["seconds"] // 60, sequences.get(path, 0)
        sequences[path] = sequence + 1
        counter = u16(epoch) + sequence.to_bytes(6, "big")
        same("counter", counter, v["counter"])
        same("epoch and sequence", [epoch, sequence], [v["epoch"], v["sequence"]])
        key = expand(chain[epoch], "tacit/1 path", path)
        same("path key", key, v["path_key"])
        sealed = seal(key, bytes(4) + counter, counter, unhex(v["plaintext"]))
        same("sample", sealed[:16], v["sample"])
        mask = blake2s(sealed[:16], mask_key, 8)
        same("mask", mask, v["mask"])
        packet = bytes(a ^ b for a, b in zip(counter, mask)) + sealed
        same("packet", packet, v["packet"])
        assert len(packet) == 448
        assert open_(key, bytes(4) + counter, counter, packet[8:]) == unhex(v["plaintext"])
