"""Runs nodes: provisions each, puts it with its surroundings into a MicroPython VM, lets main.py live its day there,
and collects what it published from a real MQTT broker.

Nothing here touches a message. The VM's loop is driven from outside because this MicroPython build collects garbage
only between calls; each turn is the one line of plumveil.loop.run.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from host_tools import derive
from host_tools.boards import Board
from host_tools.broker import BrokerUrl, Collector, EmbeddedBroker, Message
from host_tools.consent import grants
from host_tools.consent.grants import Terms
from host_tools.errors import PlumveilError, UsageError
from host_tools.policy.profile import Profile
from host_tools.provision import Network, Provisioned, provision
from host_tools.registry import Node
from host_tools.simulate.recordings import Surroundings
from host_tools.vm import Vm
from plumveil import wire

TENANT = "simulation"
CONSENT_PURPOSE, CONSENT_NOTICE, CONSENT_WHO = "simulated delivery", "simulation 1", "simulation"
WIFI = ("simulated", "no-secret-of-anyone")
KEYS_IMAGE = f"/flash/{wire.KEYS_PARTITION}"  # what the stand-in esp32 has for the key partition, block 0 first
ARRIVAL_TIMEOUT_S = 15.0
TURNS_TIMEOUT_S = 300.0
TURNS_TIMEOUT_S_PER_HOUR = 30.0

_LOAD_WORLD = 'import world; world.load("/world")'
_HOLD_MAIN = "from plumveil import loop; loop.run = lambda app, reset: loop.forget()"
_TURN = """
import _vm
_acknowledged = 0
_ack = app.store.ack
def _count(head):
    global _acknowledged
    _ack(head)
    _acknowledged += 1
app.store.ack = _count
def _reset():
    raise RuntimeError("the node gave up and reset itself")
_grant = {grant!r}
_tick = app.desk.tick
def _granted(now_s):
    # What a technician does with `plumveil gps on`, as soon as the node knows the time, which it judges a grant by.
    app.desk.tick = _tick
    app.desk.apply(_grant)
    _tick(now_s)
if _grant:
    app.desk.tick = _granted
def _turn():
    loop.turn(app, _reset)
    _vm.progress(str(world.current.elapsed_ms // 1000))
    return world.current.now_ms < {end_s} * 1000
"""
_STOP = """
import json
app.stop()
print()
_told = [list(app.drops.totals.items()), app.store.count(), app.failed_steps]
print(json.dumps(_told + [_acknowledged, world.current.uart_bytes_read]))
"""

Progress = Callable[[str, int], None]  # node's name, simulated seconds so far


@dataclass(frozen=True)
class NodeSpec:
    """A node to simulate. tier: index into wire.TIERS, TIER_OFF for no consent."""

    name: str
    board: Board
    profile: Profile
    tier: int
    surroundings: Surroundings


@dataclass(frozen=True)
class NodeRun:
    """What a node did: its registry record, its messages as they came from the broker, its own count of drops by
    rule, messages it could not deliver, and bytes it read from the position receiver."""

    spec: NodeSpec
    record: Node
    messages: tuple[Message, ...]
    dropped: dict[str, int]
    undelivered: int
    receiver_bytes: int


@dataclass(frozen=True)
class _Prepared:
    """A node's files, and the grant it is given once it knows the time; none: b""."""

    files: Provisioned
    grant: bytes


@dataclass(frozen=True)
class _Ended:
    acknowledged: int
    dropped: dict[str, int]
    undelivered: int
    receiver_bytes: int


class Stopped(PlumveilError):
    """The run was broken off from outside."""


def broker_for(url: str, ca_pem: bytes | None) -> BrokerUrl:
    """Checks a broker the user named.

    Errors: UsageError when a node would refuse it: plain TCP beyond this machine, TLS without a CA, a password.
    """
    broker = BrokerUrl.parse(url)
    if broker.user is not None or broker.password is not None:
        raise UsageError(
            "--broker: nodes have no password; the broker has to know them by their certificate or topic"
        )
    if not broker.tls and broker.host not in ("127.0.0.1", "localhost", "::1"):
        raise UsageError(
            "--broker: nodes speak plain mqtt:// to this very machine only; use mqtts:// and --broker-ca"
        )
    if broker.tls and ca_pem is None:
        raise UsageError("--broker: mqtts:// needs --broker-ca, the authority the nodes are to trust")
    _der(ca_pem)
    return broker


def simulate(
    specs: Sequence[NodeSpec], progress: Progress, url: str | None = None, ca_pem: bytes | None = None
) -> list[NodeRun]:
    """Runs the nodes, as many at once as there are processors, and returns what each sent.

    url: a broker to use in place of the embedded one; ca_pem: the authority to trust there. Errors: UsageError,
    PlumveilError with one line; KeyboardInterrupt passes, and no VM outlives any of them.
    """
    if url is not None:
        return _simulate(specs, progress, broker_for(url, ca_pem), url, ca_pem)
    with EmbeddedBroker() as broker:
        return _simulate(specs, progress, BrokerUrl.parse(broker.url), broker.url, broker.ca_pem)


def _simulate(
    specs: Sequence[NodeSpec], progress: Progress, broker: BrokerUrl, url: str, ca_pem: bytes | None
) -> list[NodeRun]:
    network = Network(broker.host, broker.port, _der(ca_pem) if broker.tls else None, *WIFI)
    nodes = [_prepare(spec, network) for spec in specs]
    with Collector(url, ca_pem) as collector:
        ended = _run_all(specs, nodes, network, progress)
        expected = sum(end.acknowledged for end in ended)
        topics = [_topics(spec, node.files.record) for spec, node in zip(specs, nodes, strict=True)]
        messages = _arrived(collector, frozenset().union(*topics), expected)
    return [
        NodeRun(
            spec,
            node.files.record,
            tuple(message for message in messages if message.topic in own),
            end.dropped,
            end.undelivered,
            end.receiver_bytes,
        )
        for spec, node, own, end in zip(specs, nodes, topics, ended, strict=True)
    ]


def _der(ca_pem: bytes | None) -> bytes | None:
    if ca_pem is None:
        return None
    try:
        return x509.load_pem_x509_certificate(ca_pem).public_bytes(Encoding.DER)
    except ValueError as error:
        raise UsageError("--broker-ca: not a certificate in PEM") from error


def _prepare(spec: NodeSpec, network: Network) -> _Prepared:
    felt = spec.surroundings
    day = felt.start_s // wire.EPOCH_S
    files = provision(spec.name, TENANT, spec.board.unattended(), spec.profile, network, day)
    if spec.tier == wire.TIER_OFF:
        return _Prepared(files, b"")
    until_s = felt.end_s + wire.EPOCH_S
    given = Terms(spec.tier, CONSENT_PURPOSE, CONSENT_NOTICE, CONSENT_WHO, felt.start_s, until_s)
    granted = grants.given_to(files.record, given, felt.start_s)
    return _Prepared(replace(files, record=granted.node), granted.data)


def _run_all(
    specs: Sequence[NodeSpec], nodes: Sequence[_Prepared], network: Network, progress: Progress
) -> list[_Ended]:
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=min(len(specs), os.cpu_count() or 1)) as pool:
        futures: list[Future[_Ended]] = [
            pool.submit(_run_node, spec, node, network, progress, stop)
            for spec, node in zip(specs, nodes, strict=True)
        ]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            # The pool's end waits for its threads: each hears of it at its node's next turn.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _run_node(spec: NodeSpec, node: _Prepared, network: Network, progress: Progress, stop: threading.Event) -> _Ended:
    def turned(elapsed_s: str) -> None:
        if stop.is_set():
            raise Stopped("stopped")
        progress(spec.name, int(elapsed_s))

    hours = (spec.surroundings.end_s - spec.surroundings.start_s) / 3600
    with Vm(allow=[(network.host, network.port)], on_progress=turned) as vm:
        for name, data in spec.surroundings.files(spec.board).items():
            vm.put(f"/world/{name}", data)
        vm.put(KEYS_IMAGE, node.files.slot_bytes)
        vm.put(wire.FILE_CONFIG, node.files.config_bytes)
        for code in (_LOAD_WORLD, _source(vm, "boot.py"), _HOLD_MAIN, _source(vm, "main.py")):
            _run(vm, spec.name, code)
        _run(vm, spec.name, _TURN.format(end_s=spec.surroundings.end_s, grant=node.grant))
        turns = vm.loop("_turn", timeout_s=TURNS_TIMEOUT_S + TURNS_TIMEOUT_S_PER_HOUR * hours)
        if not turns.ok:
            raise PlumveilError(_failure(spec.name, turns.error))
        told = json.loads(_run(vm, spec.name, _STOP).strip().splitlines()[-1])
    return _ended(spec.name, told)


def _ended(name: str, told: Any) -> _Ended:
    drops, queued, failed_steps, acknowledged, receiver_bytes = told
    if failed_steps:
        raise PlumveilError(f"node {name}: {failed_steps} steps of its schedule failed")
    names = dict(wire.RULES)
    dropped = {names[rule]: int(n) for rule, n in drops}
    return _Ended(int(acknowledged), dropped, int(queued), int(receiver_bytes))


def _source(vm: Vm, name: str) -> str:
    data = vm.get(f"/lib/{name}")
    if data is None:
        raise PlumveilError(f"the firmware has no {name}")
    return data.decode()


def _run(vm: Vm, name: str, code: str) -> str:
    result = vm.run(code)
    if not result.ok:
        raise PlumveilError(_failure(name, result.error))
    return result.output


def _failure(name: str, traceback: str) -> str:
    last = (traceback.strip().splitlines() or ["without a word"])[-1]
    return f"node {name}: the firmware stopped: {last}"


def _topics(spec: NodeSpec, record: Node) -> frozenset[str]:
    """Every topic the node can publish to in its time."""
    names = derive.Chain(bytes.fromhex(record.k_id))
    days = range(spec.surroundings.start_s // wire.EPOCH_S, spec.surroundings.end_s // wire.EPOCH_S + 1)
    topics = set()
    for day in days:
        secret = names.at(day - record.epoch0_day)
        for stream, letter in enumerate(wire.TOPIC_LETTERS):
            pseudonym = derive.pseudonym(secret, record.tenant, stream)
            topics.add(f"{wire.TOPIC_PREFIX}{letter}/{pseudonym.hex()}")
    return frozenset(topics)


def _arrived(collector: Collector, topics: frozenset[str], expected: int) -> list[Message]:
    """Waits until all that the broker acknowledged has come back from it; others' messages are left aside."""
    count = expected
    while True:
        in_time = collector.wait_for(count, ARRIVAL_TIMEOUT_S)
        everything = collector.messages
        ours = [message for message in everything if message.topic in topics]
        if len(ours) >= expected:
            return ours
        if not in_time:
            missing = expected - len(ours)
            raise PlumveilError(f"{missing} messages that the broker acknowledged did not come back from it")
        count = len(everything) + expected - len(ours)
