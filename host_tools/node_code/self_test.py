# Sent to a node's raw prompt after tools.py: does this version, with this configuration, work on this board? Reads
# each sensor once and keeps no reading; the position receiver stays off.


def report():
    # {test: "" when it passed, "-" when there is nothing to test, else what is wrong}
    import time

    from plumveil import selftest

    told = {"known answers": "" if selftest.run() == 0 else "cryptography"}
    told["disk"] = disk()
    told["clock"] = clock(time)
    config = configuration(told)
    if config is None:
        told["sensors"] = "-"
    else:
        sensors(config, told)
    return told


def disk():
    data = bytes(range(256)) * 4
    path = "/pv/test.bin"
    try:
        folders(path)
        with open(path, "wb") as f:
            f.write(data)
        with open(path, "rb") as f:
            good = f.read() == data
        os.remove(path)
    except OSError as e:
        return "full" if e.args and e.args[0] == 28 else "does not write"
    return "" if good else "does not keep what is written"


def clock(time):
    since_ms = time.ticks_ms()
    before_s = time.time()
    time.sleep_ms(50)
    passed_ms = time.ticks_diff(time.ticks_ms(), since_ms)
    if not 40 <= passed_ms <= 5000:
        return "does not tick"
    return "" if 0 <= time.time() - before_s <= 6 else "jumps"


def configuration(told):
    from plumveil import flash, service, wire
    from plumveil.config import Config
    from plumveil.errors import ConfigError
    from plumveil.keystate import KeyState, generation_of

    told["keys"] = told["configuration"] = "-"
    try:
        area = service.open_vault().area
        if all([area.blank(n) for n in range(area.blocks)]):
            return None
        keys = KeyState(service.open_vault().load(generation_of))
        told["keys"] = ""
    except ConfigError:
        told["keys"] = "damaged"
        return None
    data = flash.load(wire.FILE_CONFIG)
    if data is None:
        return None
    try:
        config = Config(data, keys.k_config, keys.config)
        told["configuration"] = ""
        return config
    except ConfigError:
        told["configuration"] = "not to be believed"
        return None


def sensors(config, told):
    import time

    import machine

    from plumveil import hardware
    from plumveil.clock import Clock
    from plumveil.errors import PlumveilError

    names = [name for name in config.sensors if name != "gps"]
    try:
        found, _ = hardware.build_sensors(config, Clock(time, machine.RTC().memory, 0))
    except (OSError, PlumveilError):
        told["sensors"] = "board and configuration do not fit"
        return
    if len(found) > len(names):
        # A board whose power chip feeds the receiver has it last; its read switches the receiver off.
        names.append("power chip")
    for name, sensor in zip(names, found):
        try:
            sensor.read()
            told[name] = ""
        except PlumveilError as e:
            told[name] = str(e).replace(name + ": ", "")
        except OSError:
            told[name] = "bus"
