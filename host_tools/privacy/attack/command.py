"""The command's work: reads, runs, judges, writes. Must never begin a run whose report could not be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from host_tools.policy.profile import TIER_NAMES
from host_tools.privacy.attack import generator, report, study, thresholds, traces
from host_tools.privacy.attack.ours import MODES
from host_tools.privacy.attack.study import Progress, Study

FLEET, FLEET_DAYS = 40, 4
QUICK_FLEET, QUICK_DAYS = 12, 3


@dataclass(frozen=True)
class Asked:
    """As typed; an empty list stands for all there is."""

    traces: Sequence[Path]
    tiers: Sequence[str]
    modes: Sequence[str]
    seed: int
    quick: bool
    peers: bool
    out: Path


def run(asked: Asked, progress: Progress) -> Study:
    """Runs it and judges it. Errors: UsageError."""
    report.prepare(asked.out)
    settings = replace(study.QUICK if asked.quick else study.Settings(), seed=asked.seed, peers=asked.peers)
    if asked.traces:
        scenes = traces.load(asked.traces)
    else:
        size = (QUICK_FLEET, QUICK_DAYS) if asked.quick else (FLEET, FLEET_DAYS)
        scenes = [generator.fleet(asked.seed, *size)]
    done = study.run(scenes, asked.tiers or TIER_NAMES[1:], asked.modes or MODES, settings, progress)
    return replace(done, verdict=thresholds.judge(done.rows, thresholds.load()))


def finish(done: Study, out: Path, console: Console) -> bool:
    """Prints and writes it -> whether a threshold was missed."""
    report.show(done, console)
    for path in report.write(done, out):
        console.print(f"report: {path}", markup=False)
    return bool(done.verdict.faults)
