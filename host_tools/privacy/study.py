"""A whole run: enrols the fleet, lets its nodes live, observes, and sets the linkers to work, on what is seen and on
two controls that they must not miss.

Keys of these nodes follow from the seed, so that a run can be repeated; must never enrol a node that exists.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from unittest import mock

from host_tools import boards
from host_tools.boards import Board
from host_tools.broker import EmbeddedBroker
from host_tools.consent import grants
from host_tools.consent.grants import Terms
from host_tools.errors import PlumveilError
from host_tools.keyring import KeyRing, TableRing
from host_tools.keytable import make_table
from host_tools.policy.profile import TIER_NAMES, Profile, load_profile
from host_tools.privacy import linker, observe
from host_tools.privacy.figures import Study
from host_tools.privacy.fleet import START_DAY, NodePlan, make_fleet
from host_tools.privacy.life import SSID, Enrolled, Trace, live
from host_tools.privacy.observe import Observation
from host_tools.provision import Network, provision
from plumveil import wire

TENANT = "depot"
PURPOSE, NOTICE, WHO = "simulated round", "simulation 1", "simulation"
TIER = "district"
# Long intervals, so that a day of a node takes a moment; several batches a day, so that there is something to see.
SCHEDULE = {"sample_s": 1800, "position_s": 43200, "device_s": 21600, "upload_s": 3600, "batch_max": 8}
CONTROLS = ("logistic", "nearest")
PLANTED = ("logistic",)

Progress = Callable[[str, float], None]  # "live" or "link", and the share of it done


@dataclass(frozen=True)
class Settings:
    """What is asked for."""

    nodes: int
    epochs: int
    seed: int
    health_mask: bool


def run(settings: Settings, progress: Progress) -> Study:
    """Runs it all. Errors: PlumveilError with one line; KeyboardInterrupt passes, and no VM outlives either."""
    plans = make_fleet(settings.seed, settings.nodes, settings.epochs, SCHEDULE["position_s"])
    with EmbeddedBroker(tls=False) as broker:
        network = Network(broker.host, broker.port, None, SSID, "no-secret-of-anyone")
        nodes = enrolled(plans, network, settings)
        traces = _live_all(plans, nodes, network, settings.seed, progress)
    seen, bare = _observed(traces, nodes, settings.epochs)
    return _linked(settings, traces, seen, bare, progress)


def board() -> Board:
    """What every node of the fleet is fitted with: few sensors, for speed; what they say is not looked at."""
    return boards.load("virtual").without("ds18b20", "lis3dh").unattended()


def profile(health_mask: bool) -> Profile:
    """The fleet's one policy. Alarms are off: they follow what the sensors say."""
    return load_profile("general").model_copy(update={**SCHEDULE, "limits": None, "health_mask": health_mask})


def enrolled(plans: Sequence[NodePlan], network: Network, settings: Settings) -> list[Enrolled]:
    """The nodes' files and grants, each with a consent of its own; same seed, same secrets."""
    drawn = itertools.count()

    def token_bytes(count: int) -> bytes:
        return hashlib.shake_256(b"%d/%d" % (settings.seed, next(drawn))).digest(count)

    first_day = START_DAY - 1
    term = first_day * wire.EPOCH_S, (START_DAY + settings.epochs + 1) * wire.EPOCH_S
    policy, fitted = profile(settings.health_mask), board()
    given = Terms(TIER_NAMES.index(TIER), PURPOSE, NOTICE, WHO, *term)
    nodes = []
    with mock.patch("secrets.token_bytes", token_bytes):
        for plan in plans:
            files = provision(plan.name, TENANT, fitted, policy, network, first_day)
            granted = grants.given_to(files.record, given, term[0])
            nodes.append(Enrolled(replace(files, record=granted.node), granted.data))
    return nodes


def _live_all(
    plans: Sequence[NodePlan], nodes: Sequence[Enrolled], network: Network, seed: int, progress: Progress
) -> list[Trace]:
    stop, lock, fitted = threading.Event(), threading.Lock(), board()
    hours = sum((boot.end_s * 1000 - boot.start_ms) / 3_600_000 for plan in plans for boot in plan.boots)
    lived = itertools.count(1)

    def hour() -> None:
        if stop.is_set():
            raise PlumveilError("stopped")
        with lock:
            progress("live", min(1.0, next(lived) / hours))

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        futures: list[Future[Trace]] = [
            pool.submit(live, plan, fitted, node, network, seed, hour)
            for plan, node in zip(plans, nodes, strict=True)
        ]
        try:
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        except BaseException:
            # The pool's end waits for its threads: each hears of it within its node's next hour.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _observed(
    traces: Sequence[Trace], nodes: Sequence[Enrolled], epochs: int
) -> tuple[list[Observation], list[Observation]]:
    """What a processor sees, and the same as the controller sees it."""
    records = [node.files.record for node in nodes]
    days = range(START_DAY, START_DAY + epochs)
    table = make_table(records, range(len(wire.STREAMS)), days.start - 1, days.stop)
    seen = observe.observe(traces, records, TableRing(table), days)
    return seen, observe.unmasked(seen, KeyRing(records, days.stop * wire.EPOCH_S))


def _linked(
    settings: Settings,
    traces: Sequence[Trace],
    seen: Sequence[Observation],
    bare: Sequence[Observation],
    progress: Progress,
) -> Study:
    steps = linker.FOLDS * (3 if settings.health_mask else 2)
    done = itertools.count(1)

    def step() -> None:
        progress("link", next(done) / steps)

    seed = settings.seed
    linked, features = linker.link(seen, seed, step=step)
    unmasked = linker.link(bare, seed, CONTROLS, step)[0] if settings.health_mask else []
    planted = linker.link(observe.planted(seen), seed, PLANTED, step)[0]
    return Study(
        nodes=settings.nodes,
        epochs=settings.epochs,
        seed=seed,
        health_mask=settings.health_mask,
        counts=_counts(traces, seen),
        linked=linked,
        features=features,
        unmasked=unmasked,
        planted=planted,
    )


def _counts(traces: Sequence[Trace], seen: Sequence[Observation]) -> dict[str, float]:
    """What there was to see, and what happened to the fleet."""
    return {
        "observations": len(seen),
        "sessions": sum(len(one.sessions) for one in seen),
        "messages": sum(len(one.messages) for one in seen),
        **{
            f"messages of {name}": sum(len(one.of(stream)) for one in seen)
            for stream, name in enumerate(wire.STREAMS)
        },
        "boots after the first": sum(len(trace.plan.boots) - 1 for trace in traces),
        "access point outages": sum(len(trace.plan.outages) for trace in traces),
        "sensor faults": sum(len(trace.plan.around.faults) for trace in traces),
    }
