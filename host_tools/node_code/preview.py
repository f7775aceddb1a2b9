# Sent to a node's raw prompt after consent.py: every value that the node takes now, and what would leave of it. Takes
# nothing away from the node: no reading is sent, counted or kept. A position only under consent, as its cell only.


def preview():
    from plumveil.drops import Drops
    from plumveil.minimise import Minimiser

    if not program():
        return {"fault": "stopped"}
    now_s = app.clock.now_s()
    drops = Drops()
    minimiser = Minimiser(app.policy, drops, app.pipeline._keys.place_key)
    taken, faults = sensed()
    health = app._health.read(app.store.count(), app.sensor_faults)
    told = status()
    told["readings"] = filtered(minimiser, drops, wire.READINGS, now_s, taken)
    told["health"] = filtered(minimiser, drops, wire.DEVICE, now_s, health)
    told["faults"] = faults
    told["masked"] = app.policy.mask_health
    told["open"], told["bytes"] = sizes(now_s)
    told["cell"], told["rule"] = position(minimiser, drops, now_s)
    return told


def sensed():
    # ({field id: raw int}, what the sensors failed with). A shock is read without being taken.
    from plumveil.errors import SensorFault

    values = {}
    faults = []
    for sensor in app._sensors:
        try:
            found = sensor.read()
        except SensorFault as e:
            faults.append(str(e))
            continue
        if hasattr(sensor, "capture"):
            sensor._peak_mg = max(sensor._peak_mg, found[wire.F_SHOCK_PEAK])
        values.update(found)
    return values, faults


def filtered(minimiser, drops, stream, now_s, values):
    # [field id, raw, sent or None, rule that dropped it or 0] each
    from plumveil.trust import Reading

    found = []
    for field in sorted(values):
        drops.totals.clear()
        sent = minimiser.fields(stream, Reading(now_s, {field: values[field]})).values.get(field)
        found.append([field, values[field], sent, 0 if sent is not None else next(iter(drops.totals))])
    return found


def sizes(now_s):
    # (readings in the open batch, {stream: bytes of the message that would leave})
    batch = app.pipeline._packer._batch
    body = batch.body() if batch else None
    found = {}
    if body:
        found[wire.READINGS] = sealed(wire.READINGS, body)
    t_s = now_s % wire.EPOCH_S if app.policy.split_dates else now_s
    found[wire.LOCATION] = sealed(
        wire.LOCATION,
        {wire.K_TIME: t_s, wire.K_CELL: [1, 1000, 1000], wire.K_CONSENT: bytes(wire.CONSENT_REF_BYTES)},
    )
    return batch.count if batch else 0, found


def sealed(stream, body):
    # Bytes of the message, sealed under a key that is thrown away.
    import os

    from plumveil import cbor, cose, crypto, pack

    pipeline = app.pipeline
    pseudonym = bytes(wire.PSEUDONYM_BYTES)
    version = app.policy.version
    header = [wire.WIRE_VERSION, app.desk.state.step, version, bytes(wire.BOOT_SALT_BYTES)]
    aad = cbor.dumps([wire.WIRE_VERSION, app.desk.state.tenant, stream, pseudonym, version])
    ccm = crypto.AesCcm(os.urandom(wire.KEY_BYTES))
    count = pipeline._keys._next[stream]
    return len(cose.encrypt0(ccm, bytes(wire.NONCE_BYTES), count, pseudonym, header, aad, pack.padded(body)))


def position(minimiser, drops, now_s):
    # ([tier, row, column] or None, rule that keeps it from being sent or 0). The receiver has power only in here.
    from plumveil.trust import Fix

    tier = app.desk.tier()
    if tier == wire.TIER_OFF:
        return None, wire.R_NO_CONSENT
    if app._receiver is None:
        return None, wire.R_NO_FIX
    if not open_now(app):
        return None, wire.R_NOT_NOW
    found = app._receiver._powered()
    # A search takes a while.
    if app.desk.tier() == wire.TIER_OFF:
        return None, wire.R_NO_CONSENT
    if found is None:
        return None, wire.R_NO_FIX
    drops.totals.clear()
    pipeline = app.pipeline
    coarse, cell = minimiser.position(Fix(now_s, found[0], found[1]), tier, pipeline._consent.serial, pipeline._held)
    rule = 0 if coarse else next(iter(drops.totals))
    return None if rule == wire.R_ZONE else list(cell), rule
