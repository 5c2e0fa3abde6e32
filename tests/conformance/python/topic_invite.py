import base64

from primitives import same, tagged_hash, u64, unhex


def checksum(body):
    return tagged_hash("tacit/1 invite", body)[:4]


def judge(data):
    if len(data) < 5 or checksum(data[:-4]) != data[-4:]:
        return "malformed"
    if data[0] != 1:
        return "version"
    return "good" if len(data) == 177 else "malformed"


def check(vectors):
    v = vectors["good"]
    body = b"\x01" + u64(v["expires"])
    for field in ("server", "mailbox_id", "discovery", "inviter", "token", "psk"):
        body += unhex(v[field])
    data = body + checksum(body)
    same("bytes", data, v["bytes"])
    same("link", "tacit:" + base64.b32encode(data).decode().rstrip("=").lower(), v["link"])
    same("judgement", judge(data), "good")
    assert len(v["link"]) == 290
    for v in vectors["refused"]:
        same(v["what"], judge(unhex(v["bytes"])), v["error"])
