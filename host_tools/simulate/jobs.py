"""The two jobs of the command line: the demo's three nodes, and one node on a user's recordings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from host_tools import boards
from host_tools.boards import Board, Gps
from host_tools.errors import UsageError
from host_tools.policy.profile import TIER_NAMES, Profile, load_profile
from host_tools.simulate import scenario, words
from host_tools.simulate.alignment import surroundings_of
from host_tools.simulate.inputs import Unit, load_nmea, load_temperature
from host_tools.simulate.output import check, write
from host_tools.simulate.recordings import NmeaLog, Surroundings
from host_tools.simulate.results import Outcome
from host_tools.simulate.runner import NodeSpec, Progress, simulate
from host_tools.simulate.summary import judge
from plumveil import wire

BITS_PER_BYTE = 10  # on the receiver's line, with start and stop bit
DEMO_BOARD, DEMO_PROFILE, DEMO_TIER = "virtual", "general", "area"


@dataclass(frozen=True)
class Target:
    """Where a job's results go: the folder, and a broker in place of the embedded one with the CA to trust there."""

    out: Path
    broker: str | None = None
    ca_pem: bytes | None = None


@dataclass(frozen=True)
class Job:
    """Nodes to run, and what the report says of them."""

    specs: Sequence[NodeSpec]
    title: str
    lead: str
    notes: Sequence[str]


def demo_job() -> Job:
    """A vaccine refrigerator without GPS, and the same truck with and without location consent."""
    board, profile = boards.load(DEMO_BOARD), load_profile(DEMO_PROFILE)
    fridge, truck = scenario.refrigerator(), scenario.truck()
    specs = (
        NodeSpec("vaccine-fridge", board.without("gps"), profile, wire.TIER_OFF, fridge),
        NodeSpec("truck-consent", board, profile, TIER_NAMES.index(DEMO_TIER), truck),
        NodeSpec("truck-no-consent", board, profile, wire.TIER_OFF, truck),
    )
    return Job(
        specs,
        title="What three nodes let out in a day",
        lead=f"A vaccine refrigerator, and one truck twice: with and without location consent. {_span(fridge)}",
        notes=(
            "All input is generated: refrigerator, cargo, drive and shocks are invented, and nobody drove here.",
            "The refrigerator's door stays open for seven minutes once, and its probe is unplugged for twenty.",
            "The GPS receiver's output has noise of 5 m, a tunnel without fix, and some corrupted sentences.",
            _policy_words(profile),
        ),
    )


def recorded_job(
    temperature: Path, nmea: Path | None, unit: Unit, board: str, profile: str, consent: str, hours: float | None
) -> Job:
    """One node on a user's recordings. Errors: UsageError for a wrong name, file or number."""
    wired, policy = boards.load(board), load_profile(profile)
    allowed = TIER_NAMES[: policy.ceiling + 1]
    if consent not in allowed:
        raise UsageError(f"--consent: profile {profile} allows {', '.join(allowed)}")
    curve = load_temperature(temperature, unit)
    log = load_nmea(nmea) if nmea else None
    surroundings = surroundings_of(curve, log, hours)
    if log and "gps" not in wired.sensors:
        raise UsageError(f"--nmea: board {board} has no position receiver")
    fitted = _fast_enough(wired, log.log) if log else wired.without("gps")
    notes = [
        f"{temperature.name}: {curve.kind}, {_counted(len(curve.series.times_s), 'value')}, {_bad(curve.bad_lines)}"
    ]
    if nmea and log:
        notes.append(f"{nmea.name}: {_counted(log.sentences, 'sound NMEA sentence')}, {_bad(log.bad_lines)}")
    if fitted.gps.baud != wired.gps.baud:
        notes.append(
            f"the receiver's line runs at {fitted.gps.baud} baud in place of the board's: the NMEA log needs it"
        )
    notes += [*curve.notes, *(log.notes if log else ()), *surroundings.notes, _policy_words(policy)]
    tier = TIER_NAMES.index(consent)
    return Job(
        (NodeSpec("node", fitted, policy, tier, surroundings),),
        title="What a node lets out of your recordings",
        lead=f"One node on the {wired.name} board's wiring, {words.tier_words(tier)}. {_span(surroundings)}",
        notes=notes,
    )


def _fast_enough(board: Board, log: NmeaLog) -> Board:
    """The board with its receiver's line as fast as the recording needs; a slower one would lose seconds of it."""
    needed = log.peak_bytes_per_s() * BITS_PER_BYTE
    rates = [rate for rate in get_args(Gps.model_fields["baud"].annotation) if rate >= board.gps.baud]
    rate = next((rate for rate in rates if rate >= needed), rates[-1])
    return board.model_copy(update={"gps": board.gps.model_copy(update={"baud": rate})})


def run(job: Job, target: Target, progress: Progress, began: float) -> Outcome:
    """Runs a job's nodes and writes the folder. began: time.monotonic() at the command's start."""
    check(target.out)
    runs = simulate(job.specs, progress, target.broker, target.ca_pem)
    views, verdict = judge(runs)
    notes = list(job.notes)
    for one in runs:
        if one.undelivered:
            notes.append(
                f"{one.spec.name}: {_counted(one.undelivered, 'message')} could not be delivered and stayed queued"
            )
    outcome = Outcome(job.title, job.lead, views, verdict, time.monotonic() - began, notes)
    write(target.out, runs, outcome)
    return outcome


def _span(surroundings: Surroundings) -> str:
    hours = (surroundings.end_s - surroundings.start_s) / 3600
    start = datetime.fromtimestamp(surroundings.start_s, UTC).strftime("%Y-%m-%d %H:%M")
    return f"{hours:g} simulated hours from {start} UTC."


def _policy_words(profile: Profile) -> str:
    return (
        f"Profile {profile.name}: a reading every {profile.sample_s} s, a position every {profile.position_s} s, "
        f"delivery every {profile.upload_s} s and at an alarm, up to {profile.batch_max} readings in a message."
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _bad(count: int) -> str:
    return "no bad lines" if count == 0 else f"{_counted(count, 'bad line')} left out"
