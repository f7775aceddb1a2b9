"""Wi-Fi keys that are no secret: makers' defaults and what is tried first. Short ones are not here: they are none."""

from __future__ import annotations

DISTINCT_LEAST = 4  # characters that differ
_RUNS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm")
# Of at least 8 characters, from makers' manuals and the lists of leaked passwords, lower case.
_KNOWN = """
    password password1 password12 password123 passw0rd p@ssw0rd p@ssword pa55word passpass mypassword newpassword
    wifipassword wifi1234 wifi12345 wireless wireless1 internet internet1 network1 homewifi guestwifi guest123
    guestguest admin123 admin1234 adminadmin administrator administrator1 default1 defaultpassword changeme
    changeme1 changeme123 changeit letmein1 letmein123 welcome1 welcome123 welcome2 qwerty123 qwertyui qwertyuiop
    qwerty12 1q2w3e4r 1q2w3e4r5t 1qaz2wsx zaq12wsx q1w2e3r4 abc12345 abcd1234 abcdefgh a1b2c3d4 aa123456 aaaa1111
    iloveyou sunshine princess football baseball superman starwars trustno1 whatever computer samsung1 linksys1
    netgear1 tplink123 tp-link123 dlink123 asus1234 huawei123 zte12345 cisco123 ubnt1234 mikrotik raspberry
    raspberrypi micropython micropythonn micropython1 esp32esp32 esp8266esp test1234 testtest testing123 secret123
    topsecret private1 company1 factory1 temppass temp1234 demodemo demo1234 hotspot1 iphone12 android1 espressif
    correcthorsebatterystaple micropy1 00000000 11111111 12121212 11223344 87654321 99999999 88888888 12344321
    147258369 123123123 112233445566 1234qwer asdf1234 zxcvbnm1 asdfghjk
""".split()  # noqa: SIM905


def is_known(key: str, ssid: str) -> bool:
    """Whether a key is a default, the network's own name, one character over and over, or keys in a row."""
    plain = key.lower()
    name = ssid.lower()
    if plain in _KNOWN or len(set(plain)) < DISTINCT_LEAST or plain in (name, name + name, name[::-1]):
        return True
    return any(plain in run * 3 or plain in run[::-1] * 3 for run in _RUNS)
