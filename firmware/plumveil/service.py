# Builds the node from its files and its hardware, and runs it. The only place that knows which class sits where.

from plumveil import flash, hardware, selftest, trial, vault, wire
from plumveil.alarm import Alarms
from plumveil.app import App
from plumveil.clock import Clock
from plumveil.consent import Consent
from plumveil.desk import Desk
from plumveil.drops import Drops
from plumveil.errors import ConfigError, SelfTestFailed
from plumveil.held import HeldCell
from plumveil.keys import KeyChain
from plumveil.keystate import KeyState, generation_of
from plumveil.minimise import Minimiser
from plumveil.pack import Packer
from plumveil.pipeline import Pipeline
from plumveil.pseudonym import Pseudonyms
from plumveil.store import Store
from plumveil.undated import Undated


def build(say):
    # The App of this node; say: takes a line for the console. ConfigError when its keys or configuration are missing
    # or corrupt, SelfTestFailed when it may not seal.
    import machine

    hardware.receiver_off()
    flash.make_folder(wire.FOLDER_QUEUE)
    self_test()
    safe = open_vault()
    state = KeyState(safe.load(generation_of))
    config, on_trial = trial.configuration(state)
    try:
        app = _build_app(safe, state, config)
    except Exception:
        if on_trial:
            # This start is spent; without one good step the old configuration comes back.
            machine.reset()
        raise
    app.trial = trial.Trial(state, config, on_trial, say)
    app.next_s = trial.ahead(state, config)
    return app


def _build_app(safe, state, config):
    import os
    import time

    import machine

    clock = Clock(time, machine.RTC().memory, state.epoch0_day * wire.EPOCH_S)
    drops = Drops()
    store = Store(wire.FOLDER_QUEUE, drops)
    radio = hardware.build_radio()
    # Before anything random is drawn: only then is the chip's random number generator fed by noise.
    radio.active(True)
    keys = KeyChain(safe, state, os.urandom(wire.KEY_BYTES))
    pseudonyms = Pseudonyms(keys, config.policy.mask_health, config.policy.split_dates)
    uplink = hardware.build_uplink(config, clock, radio, pseudonyms.host_name)
    consent = Consent(state, config.policy)
    held = HeldCell(wire.FILE_CELL)
    pipeline = build_pipeline(keys, pseudonyms, consent, held, config, store, drops)

    def now_s():
        return clock.now_s() if clock.trusted() else None

    desk = Desk(state, safe, keys.commit, store, held, drops, now_s, consent, config.policy, pipeline)
    sensors, receiver = hardware.build_sensors(config, clock)
    undated = build_undated(config.policy, drops)
    health = hardware.build_health(clock, uplink)
    app = App(
        pipeline, config.policy, store, drops, clock, undated, sensors, health, receiver, uplink, os.urandom, desk
    )
    app.route_until_s = config.route_until_s
    hand = app.hand = hardware.build_hand(config.board, time, desk.tier)
    clock.wait_ms, clock.heard = hand.wait_ms, hand.heard
    app.rest_ms = hand.rest_ms
    if config.power == wire.POWER_BATTERY:
        app.rest_ms = hardware.build_rest(radio, hand, sensors)
    return app


def self_test():
    # Before anything rests on what may fail: keys would look damaged and the configuration forged.
    failed = selftest.run()
    if failed:
        flash.save(wire.FILE_SELF_TEST, bytes((failed,)))
        raise SelfTestFailed("self-test failed")


def open_vault():
    # The Vault of this board: in its partition, or in files where it has none.
    try:
        import esp32
    except ImportError:
        return vault.Vault(vault.open_area(None, wire.FOLDER_KEYS))
    return vault.Vault(vault.open_area(esp32.Partition, wire.FOLDER_KEYS))


def desk():
    # The Desk of a node whose program does not run: location can be switched off there all the same. ConfigError when
    # it has no keys.
    safe = open_vault()
    state = KeyState(safe.load(generation_of))
    drops = Drops()
    flash.make_folder(wire.FOLDER_QUEUE)
    store = Store(wire.FOLDER_QUEUE, drops)
    held = HeldCell(wire.FILE_CELL)
    return Desk(state, safe, lambda: safe.commit(state.body()), store, held, drops, lambda: None)


def build_pipeline(keys, pseudonyms, consent, held, config, store, drops):
    # The stages from raw values to the queue.
    policy = config.policy
    return Pipeline(
        consent,
        Minimiser(policy, drops, keys.place_key),
        Alarms(policy.limits),
        keys,
        pseudonyms,
        Packer(keys, pseudonyms, policy),
        store,
        drops,
        held,
        policy,
    )


def build_undated(policy, drops):
    fields = [row[0] for row in wire.FIELDS if row[2] == wire.READINGS and row[0] in policy.fields]
    return Undated(fields, policy.sample_s, drops)


def enrol(slot, replace=False):
    # Writes the node's first key slot, as the host made it. ConfigError when it is none, or the node has keys and is
    # not to lose them; SealRefused when the flash does not hold it.
    body = vault.slot_body(slot)
    if body is None:
        raise ConfigError("keys: no slot")
    generation_of(body)
    safe = open_vault()
    if not replace:
        try:
            safe.load(generation_of)
        except ConfigError:
            pass
        else:
            raise ConfigError("keys: enrolled already")
    safe.enrol(body)
    _forget_files(safe)


def _forget_files(safe):
    # Keys in files, from before the board had a partition for them.
    if safe.area.raw:
        flash.erase_folder(wire.FOLDER_KEYS)


def retire():
    # Destroys the node's keys, first of all, and what it was told -> key blocks that read back blank.
    safe = open_vault()
    n = safe.wipe()
    _forget_files(safe)
    for path in (wire.FILE_CONFIG, wire.FILE_NEXT, wire.FILE_CELL, wire.FILE_SELF_TEST, wire.FILE_ENTRY):
        flash.erase(path)
    for path in (wire.FILE_OFF, wire.FILE_LOG, wire.FILE_LOG + ".old"):
        flash.remove(path)
    for left in range(wire.CONFIG_STARTS + 1):
        flash.erase("%s.%d" % (wire.FILE_CONFIG, left))
    flash.erase_folder(wire.FOLDER_QUEUE)
    return n
