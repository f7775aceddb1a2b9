# Sent to a node's raw prompt after tools.py: what the node is called today, and what it is allowed. No key leaves it.


def names(challenge):
    # challenge: bytes; "proof" in the answer is made of them with the key of the node's configurations.
    from plumveil import cbor, crypto, flash, service, wire
    from plumveil.config import Config
    from plumveil.errors import ConfigError
    from plumveil.keystate import KeyState, generation_of

    told = {"pseudonyms": [], "epoch": None, "keys": None, "configuration": None, "consent": False, "proof": ""}
    told["damaged"] = False
    safe = service.open_vault()
    if all([safe.area.blank(n) for n in range(safe.area.blocks)]):
        return told
    told["keys"] = "partition" if safe.area.raw else "files"
    try:
        keys = KeyState(safe.load(generation_of))
    except ConfigError:
        told["damaged"] = True
        return told
    told["epoch"] = keys.epoch
    told["consent"] = keys.grant is not None
    # An array, which no configuration is.
    told["proof"] = hexlify(crypto.hmac_sha256(keys.k_config, cbor.dumps(["flash", challenge]))).decode()
    for stream in range(wire.STREAM_COUNT):
        name = crypto.hmac_sha256(keys.names, cbor.dumps([wire.L_ID, keys.tenant, stream]))
        told["pseudonyms"].append(hexlify(name[: wire.PSEUDONYM_BYTES]).decode())
    data = flash.load(wire.FILE_CONFIG)
    if data is not None:
        try:
            told["configuration"] = Config(data, keys.k_config, keys.config).version
        except ConfigError:
            told["configuration"] = 0
    return told
