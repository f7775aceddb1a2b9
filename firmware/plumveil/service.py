# Builds the node from its files and its hardware, and runs it. The only place that knows which class sits where.

from plumveil import flash, selftest, vault, wire
from plumveil.alarm import Alarms
from plumveil.app import App
from plumveil.clock import Clock
from plumveil.config import Config
from plumveil.consent import Consent
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
from plumveil.uplink import Uplink

GPS_RX_BYTES = 1024  # the receiver's second of sentences, with room
FIX_MAX_MS = 60000  # longest search for a position; never over half a sample interval, so that no sample waits for it
SHOCK_THRESHOLD_MG = 1116  # 6 steps of the sensor's 186 mg


def build():
    # The App of this node. ConfigError when its keys or configuration are missing or corrupt, SelfTestFailed when it
    # may not seal.
    import os
    import time

    import machine

    flash.make_folder(wire.FOLDER_QUEUE)
    self_test()
    safe = open_vault()
    state = KeyState(safe.load(generation_of))
    config = Config(flash.load(wire.FILE_CONFIG), state.k_config)
    clock = Clock(time, machine.RTC().memory, state.epoch0_day * wire.EPOCH_S)
    drops = Drops()
    store = Store(wire.FOLDER_QUEUE, drops)
    radio = build_radio()
    # Before anything random is drawn: only then is the chip's random number generator fed by noise.
    radio.active(True)
    keys = KeyChain(safe, state, os.urandom(wire.KEY_BYTES))
    pseudonyms = Pseudonyms(keys, config.policy.mask_health)
    uplink = build_uplink(config, clock, radio, pseudonyms.host_name)
    pipeline = build_pipeline(keys, pseudonyms, config, store, drops)
    sensors, receiver = build_sensors(config, clock)
    return App(
        pipeline,
        config.policy,
        store,
        drops,
        clock,
        build_undated(config.policy, drops),
        sensors,
        build_health(clock, uplink),
        receiver,
        uplink,
        os.urandom,
    )


def self_test():
    # Before anything rests on what may fail: keys would look damaged and the configuration forged.
    failed = selftest.run()
    if failed:
        flash.save(wire.FILE_SELF_TEST, bytes((failed,)))
        raise SelfTestFailed("self-test")


def open_vault():
    # The Vault of this board: in its partition, or in files where it has none.
    try:
        import esp32
    except ImportError:
        return vault.Vault(vault.open_area(None, wire.FOLDER_KEYS))
    return vault.Vault(vault.open_area(esp32.Partition, wire.FOLDER_KEYS))


def build_pipeline(keys, pseudonyms, config, store, drops):
    # The stages from raw values to the queue.
    policy = config.policy
    return Pipeline(
        Consent(config.consent, policy),
        Minimiser(policy, drops),
        Alarms(policy.limits),
        keys,
        pseudonyms,
        Packer(keys, pseudonyms, policy),
        store,
        drops,
        HeldCell(wire.FILE_CELL),
    )


def build_undated(policy, drops):
    fields = [row[0] for row in wire.FIELDS if row[2] == wire.READINGS and row[0] in policy.fields]
    return Undated(fields, policy.sample_s, drops)


def _board(config, name):
    # The board's number of that name: a GPIO, an address, a rate.
    if name not in config.board:
        raise ConfigError("config: board has no " + name)
    return config.board[name]


def build_sensors(config, clock):
    # ([sensor drivers], GPS receiver or None) of what the configuration names.
    import machine

    sensors = []
    receiver = None
    i2c = None
    for name in config.sensors:
        if name in ("sht4x", "lis3dh") and i2c is None:
            scl, sda = machine.Pin(_board(config, "i2c_scl")), machine.Pin(_board(config, "i2c_sda"))
            i2c = machine.I2C(0, scl=scl, sda=sda, freq=_board(config, "i2c_frequency_hz"))
        if name == "gps":
            receiver = _gps(config, clock, machine)
        else:
            sensors.append(_sensor(name, config, clock, machine, i2c))
    return sensors, receiver


def _sensor(name, config, clock, machine, i2c):
    if name == "sht4x":
        from plumveil.sense.sht4x import Sht4x

        return Sht4x(i2c, clock.sleep_ms, _board(config, "sht4x_address"))
    if name == "lis3dh":
        from plumveil.sense.lis3dh import Lis3dh

        lis3dh = Lis3dh(i2c, clock.sleep_ms, _board(config, "lis3dh_address"), SHOCK_THRESHOLD_MG)
        # The FIFO holds a third of a second: what shook the node is read when it happens, not at the next sample.
        pin = machine.Pin(_board(config, "shock_interrupt"), machine.Pin.IN)
        pin.irq(handler=lis3dh.capture, trigger=machine.Pin.IRQ_RISING)
        return lis3dh
    if name == "ds18b20":
        from onewire import OneWire

        from plumveil.sense.ds18b20 import Ds18b20

        return Ds18b20(OneWire(machine.Pin(_board(config, "onewire"))), clock.sleep_ms)
    if name == "battery":
        from plumveil.sense.battery import Battery

        adc = machine.ADC(machine.Pin(_board(config, "battery_adc")), atten=machine.ADC.ATTN_11DB)
        return Battery(adc, _board(config, "battery_numerator"), _board(config, "battery_denominator"))
    raise ConfigError("config: unknown sensor")


def _gps(config, clock, machine):
    from plumveil.sense.nmea import Receiver

    tx, rx = machine.Pin(_board(config, "gps_tx")), machine.Pin(_board(config, "gps_rx"))
    baud = _board(config, "gps_baud")
    uart = machine.UART(_board(config, "gps_uart"), baudrate=baud, tx=tx, rx=rx, rxbuf=GPS_RX_BYTES, timeout=0)
    power = machine.Pin(_board(config, "gps_power"), machine.Pin.OUT, value=0)
    return Receiver(uart, power, clock, min(FIX_MAX_MS, config.policy.sample_s * 500))


def build_radio():
    import network

    return network.WLAN(network.WLAN.IF_STA)


def build_uplink(config, clock, radio, host_name):
    import ssl

    import network
    import ntptime
    from umqtt.simple import MQTTClient

    return Uplink(
        config.broker, config.wifi, radio, MQTTClient, ssl, clock, ntptime.settime, network.hostname, host_name
    )


def build_health(clock, uplink):
    import machine

    from plumveil.sense.health import Health

    return Health(clock, uplink.rssi_dbm, machine.reset_cause(), wire.FILE_SELF_TEST)


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
    for path in (wire.FILE_CONFIG, wire.FILE_CELL, wire.FILE_SELF_TEST):
        flash.erase(path)
    flash.erase_folder(wire.FOLDER_QUEUE)
    return n
