# Sent to a node's raw prompt by host_tools.technician, where its program stands still as `app`: consent as the node
# has it, given and taken back. Sends no secret.
import json
import sys
from binascii import a2b_base64, hexlify

import micropython  # noqa: F401  what is called is called deaf to Ctrl-C


def answer(value):
    print("<" + hexlify(json.dumps(value).encode()).decode() + ">")


def program():
    return globals().get("app")


def desk():
    node = program()
    if node:
        return node.desk
    from plumveil import service

    return service.desk()


def guarded(call, *arguments):
    # A node without keys, or without the firmware, is an answer: {"fault": its kind}.
    try:
        return call(*arguments)
    except ImportError:
        return {"fault": "firmware"}
    except Exception as e:
        if type(e).__name__ not in ("ConfigError", "SealRefused", "OSError"):
            raise
        return {"fault": type(e).__name__}


def status():
    at = desk()
    node = program()
    told = {"runs": bool(node), "tier": at.tier(), "serial": at.state.serial, "grant": None, "said": None}
    if at.state.grant is not None:
        serial, tier, starts_s, expires_s, _, policy, delegation = at.state.grant
        told["grant"] = [serial, tier, starts_s, expires_s, policy, delegation]
        told["said"] = said(at, serial)
    if node:
        told.update(running(node))
    return told


def running(node):
    policy = node.policy
    return {
        "now_s": node.clock.now_s() if node.clock.trusted() else None,
        "policy": policy.version,
        "ceiling": policy.location_ceiling,
        "fields": policy.fields,
        "sample_s": policy.sample_s,
        "position_s": policy.position_s,
        "receiver": node._receiver is not None,
        "now": open_now(node),
        "refusals": node.drops.totals.get(wire.R_REFUSED, 0),
        "queued": node.store.count(),
    }


def open_now(node):
    # Whether the policy lets positions be taken now, as far as hours and alarms go.
    policy = node.policy
    return policy.open_at(node.clock.now_s()) and (not policy.alarm_only or node.pipeline._alarms.on)


def said(at, serial):
    # [Unix s or None, purpose, notice, who, person, reason] of the consent of that serial, as the log has it.
    found = None
    for entry in log(at):
        if entry[2] == terms.LOG_GRANTED and entry[4][terms.G_SERIAL] == serial:
            parts = entry[4]
            caveats = parts.get(terms.G_DELEGATION)
            person = caveats[terms.D_PERSON] if caveats else None
            found = [entry[3], parts[terms.G_PURPOSE], parts[terms.G_NOTICE], parts[terms.G_WHO], person]
            found.append(parts.get(terms.G_REASON))
    return found


def log(at):
    # The log's entries that are still here, oldest first; the last ones may not have left yet.
    from plumveil import cbor, errors, flash, wire

    kept = []
    for path in (wire.FILE_LOG + ".old", wire.FILE_LOG):
        data = flash.load(path) or b""
        end = 0
        try:
            while end < len(data):
                entry, end = cbor._item(data, end, wire.CBOR_DEPTH_MAX)
                kept.append(entry)
        except errors.Malformed:
            # A cut while it was written.
            pass
    return kept + [cbor.loads(entry) for entry in at._kept]


def name():
    # What grants call this node. Only its firmware knows, and keeps that module in RAM no longer than it must.
    from plumveil import grant

    try:
        return hexlify(grant.name(desk().state)).decode()
    finally:
        del sys.modules["plumveil.grant"]
        delattr(sys.modules["plumveil"], "grant")


def on(data):
    from plumveil import errors

    node = program()
    if not node:
        return {"fault": "stopped"}
    try:
        node.desk.apply(a2b_base64(data))
    except errors.GrantRefused as e:
        return {"refused": e.reason}
    node.hand.light(node.desk.tier())
    return status()


def off():
    at = desk()
    was_on = at.state.grant is not None
    try:
        at.withdraw(terms.BY_TOOL)
    finally:
        if program():
            app.hand.light(at.tier())
    told = status()
    told["was_on"] = was_on
    return told
