# Builds what touches the node's hardware: drivers, receiver, radio, uplink, rest. Beside plumveil.service the only
# place that imports the hardware's modules and the drivers, inside its functions; forgotten once the node runs.

from plumveil import cbor, flash, wire
from plumveil.errors import ConfigError, SensorFault
from plumveil.hand import Hand
from plumveil.uplink import Uplink

GPS_RX_BYTES = 1024  # the receiver's second of sentences, with room
FIX_MAX_MS = 60000  # longest search for a position; never over half a sample interval, so that no sample waits for it
AXP_NUMBERS = (
    "id voltage_register voltage_mask voltage enable_register enable_mask backup_register backup_mask".split()
)
SHOCK_THRESHOLD_MG = 1116  # 6 steps of the sensor's 186 mg


def receiver_off():
    # First of all at a start: whatever else is wrong with this node, its position receiver has no power. A power chip
    # keeps its rails over a reset, and may come up with this one on.
    try:
        board = cbor.loads(flash.load(wire.FILE_BOARD) or b"\xa0")
        power = _gps_power(board, _i2c(board) if "axp_id" in board else None)
        if power is not None:
            power.value(0)
    except Exception:  # noqa: BLE001, S110
        # A damaged file switches nothing, nor does a silent chip: what is built later tries again, and tells.
        pass


def _board(board, name):
    # The board's number of that name: a GPIO, an address, a rate.
    if name not in board:
        raise ConfigError("config: board has no " + name)
    return board[name]


def _i2c(board):
    import machine

    scl, sda = machine.Pin(_board(board, "i2c_scl")), machine.Pin(_board(board, "i2c_sda"))
    return machine.I2C(0, scl=scl, sda=sda, freq=_board(board, "i2c_frequency_hz"))


def build_sensors(config, clock):
    # ([sensor drivers], GPS receiver or None) of what the configuration names. A receiver that it does not name gets
    # no power all the same.
    board = config.board
    sensors = []
    i2c = None
    if "axp_id" in board or "sht4x" in config.sensors or "lis3dh" in config.sensors:
        i2c = _i2c(board)
    power = _gps_power(board, i2c)
    receiver = None
    for name in config.sensors:
        if name == "gps":
            receiver = _gps(config, clock, power)
        else:
            sensors.append(_sensor(name, board, clock, i2c))
    if hasattr(power, "read"):
        sensors.append(power)
        try:
            power.read()
        except SensorFault:
            # Each sample tries again, and tells.
            pass
    return sensors, receiver


def _sensor(name, board, clock, i2c):
    import machine

    if name == "sht4x":
        from plumveil.sense.sht4x import Sht4x

        return Sht4x(i2c, clock.sleep_ms, _board(board, "sht4x_address"))
    if name == "lis3dh":
        from plumveil.sense.lis3dh import Lis3dh

        lis3dh = Lis3dh(i2c, clock.sleep_ms, _board(board, "lis3dh_address"), SHOCK_THRESHOLD_MG)
        # The FIFO holds a third of a second: what shook the node is read when it happens, not at the next sample.
        pin = machine.Pin(_board(board, "shock_interrupt"), machine.Pin.IN)
        pin.irq(handler=lis3dh.capture, trigger=machine.Pin.IRQ_RISING)
        lis3dh.interrupt = pin
        return lis3dh
    if name == "ds18b20":
        from onewire import OneWire

        from plumveil.sense.ds18b20 import Ds18b20

        return Ds18b20(OneWire(machine.Pin(_board(board, "onewire"))), clock.sleep_ms)
    if name == "battery":
        from plumveil.sense.battery import Battery

        adc = machine.ADC(machine.Pin(_board(board, "battery_adc")), atten=machine.ADC.ATTN_11DB)
        return Battery(adc, _board(board, "battery_numerator"), _board(board, "battery_denominator"))
    raise ConfigError("config: sensor")


def _gps(config, clock, power):
    import machine

    from plumveil.sense.receiver import Receiver

    board = config.board
    if power is None:
        raise ConfigError("config: gps power")
    tx, rx = machine.Pin(_board(board, "gps_tx")), machine.Pin(_board(board, "gps_rx"))
    baud = _board(board, "gps_baud")
    uart = machine.UART(_board(board, "gps_uart"), baudrate=baud, tx=tx, rx=rx, rxbuf=GPS_RX_BYTES, timeout=0)
    ttf_max_ms = min(FIX_MAX_MS, config.policy.sample_s * 500)
    return Receiver(uart, power, clock, ttf_max_ms, board.get("gps_ublox"), board.get("gps_backup"))


def _gps_power(board, i2c):
    # What switches the receiver: a pin, a rail of the board's power chip, or None on a board without a place for one.
    if "axp_id" in board:
        from plumveil.sense.axp import Rail

        names = AXP_NUMBERS if board.get("gps_backup") else AXP_NUMBERS[:-2]
        return Rail(i2c, _board(board, "axp_address"), [_board(board, "axp_" + name) for name in names])
    if "gps_power" in board:
        import machine

        return machine.Pin(board["gps_power"], machine.Pin.OUT, value=0)
    return None


def build_hand(board, time, is_on):
    import sys
    from select import poll

    from machine import Pin
    from micropython import kbd_intr

    line = sys.stdin.buffer
    watch = poll()
    watch.register(line, 1)  # POLLIN
    button = Pin(board["consent_button"], Pin.IN, Pin.PULL_UP) if "consent_button" in board else None
    led = Pin(board["led"], Pin.OUT).value if "led" in board else int
    return Hand(time, kbd_intr, line, watch.ipoll, button, led, board.get("led_low"), is_on)


def build_rest(radio, hand, sensors):
    # What a battery node does between two steps.
    import esp32
    import machine

    from plumveil.rest import LightSleep

    shock = None
    for sensor in sensors:
        if getattr(sensor, "interrupt", None):
            shock = sensor
            # A chip without this input (C3) sees a shock at its next sample: the accelerometer keeps the latch.
            if hasattr(esp32, "wake_on_ext0"):
                esp32.wake_on_ext0(sensor.interrupt, esp32.WAKEUP_ANY_HIGH)
    # Any pin wakes from light sleep in this way.
    if hand.button and hasattr(esp32, "wake_on_gpio"):
        esp32.wake_on_gpio((hand.button,), esp32.WAKEUP_ALL_LOW)
    return LightSleep(radio, machine.lightsleep, hand, shock)


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
