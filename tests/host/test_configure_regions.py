"""Transfers: which ground holds for which pair of jurisdiction and region, and that none passes unsaid."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from host_tools.configure import regions, rules
from host_tools.configure.parts import gather
from host_tools.configure.regions import LAWS, REGIONS, SAFEGUARDS, transfer_fault
from host_tools.configure.rules import Subject
from tests.host.configuring import NOW, loaded

ALLOWED = [
    ("EU", "EU", None),
    ("EU", "DE", None),
    ("EU", "NO", None),
    ("EU", "RE", None),
    ("EU", "JP", "adequacy"),
    ("EU", "GB", "adequacy"),
    ("EU", "US", "dpf"),
    ("EU", "US", "scc"),
    ("EU", "CN", "scc"),
    ("EU", "IN", "bcr"),
    ("GB", "GB", None),
    ("GB", "DE", "adequacy"),
    ("GB", "EU", "adequacy"),
    ("GB", "KR", "adequacy"),
    ("GB", "US", "dpf"),
    ("GB", "IN", "idta"),
    ("GB", "IN", "uk-addendum"),
    ("IN", "IN", None),
    ("IN", "US", "not-restricted"),
    ("US", "US", None),
    ("US", "DE", "contract"),
    ("US-HIPAA", "US", "baa"),
    ("US-HIPAA", "CA", "baa"),
]
REFUSED = [
    (
        "EU",
        "US",
        None,
        "no safeguard is stated (GDPR Art. 44): one of dpf (GDPR Art. 45, Decision (EU) 2023/1795), scc",
    ),
    ("EU", "US", "adequacy", "'adequacy' is no ground for that"),
    ("EU", "IN", "dpf", "one of scc (GDPR Art. 46(2)(c), Decision (EU) 2021/914), bcr"),
    ("EU", "IN", "idta", "'idta' is no ground"),
    ("EU", "GB", None, "one of adequacy (GDPR Art. 45)"),
    ("GB", "EU", None, "no safeguard is stated (UK GDPR Art. 44A)"),
    ("GB", "IN", "scc", "one of idta (UK GDPR Art. 46, DPA 2018 s. 119A)"),
    ("IN", "US", None, "(DPDP Act 2023 s. 16(1)): one of not-restricted"),
    ("IN", "US", "scc", "'scc' is no ground"),
    ("US", "DE", None, "one of contract"),
    ("US", "CN", "contract", "CN is barred for data of US (28 CFR 202.601): use an endpoint elsewhere"),
    ("US-HIPAA", "US", None, "(HIPAA, 45 CFR 164.308(b) and 164.502(e)): one of baa (HIPAA, 45 CFR 164.504(e))"),
    ("US-HIPAA", "RU", "baa", "RU is barred"),
    ("US-HIPAA", "US", "contract", "'contract' is no ground"),
]


@pytest.mark.parametrize(("jurisdiction", "region", "safeguard"), ALLOWED)
def test_grounds_that_hold(jurisdiction: str, region: str, safeguard: str | None) -> None:
    assert transfer_fault(jurisdiction, region, safeguard) is None


@pytest.mark.parametrize(("jurisdiction", "region", "safeguard", "words"), REFUSED)
def test_grounds_that_do_not(jurisdiction: str, region: str, safeguard: str | None, words: str) -> None:
    fault = transfer_fault(jurisdiction, region, safeguard)
    assert fault is not None
    assert words in fault


def test_no_transfer_passes_unsaid() -> None:
    """Without a safeguard nothing leaves home, from anywhere to anywhere."""
    for jurisdiction, region in itertools.product(LAWS, REGIONS):
        if transfer_fault(jurisdiction, region, None) is None:
            assert region in LAWS[jurisdiction].home


def test_every_refusal_but_a_bar_names_a_ground_that_would_hold() -> None:
    for jurisdiction, region, safeguard in itertools.product(LAWS, REGIONS, (None, *SAFEGUARDS)):
        fault = transfer_fault(jurisdiction, region, safeguard)
        if fault is None or "barred" in fault:
            continue
        offered = fault.rpartition("one of ")[2].split(" ")[0]
        assert transfer_fault(jurisdiction, region, offered) is None


def test_the_tables_fit_together() -> None:
    assert set(LAWS) == set(regions.JURISDICTIONS)
    used = {name for law in LAWS.values() for name in law.safeguards}
    assert used == set(SAFEGUARDS)
    assert len(regions.EEA) == 30
    assert len(set(REGIONS)) == len(REGIONS) == 250  # 249 codes of ISO 3166-1, and EU
    for law in LAWS.values():
        assert law.home | law.barred <= set(REGIONS)
        for _, where in law.safeguards.values():
            assert where is None or where <= set(REGIONS)


@pytest.mark.parametrize(
    ("service", "clause"),
    [
        ({"endpoint_region": "US"}, "GDPR Art. 44"),
        ({"jurisdiction": "IN", "endpoint_region": "US"}, "DPDP Act 2023 s. 16(1)"),
        ({"jurisdiction": "IN", "endpoint_region": "IN", "safeguard_until": NOW.date()}, "DPDP Act 2023 s. 16(1)"),
        ({"jurisdiction": "US", "endpoint_region": "DE"}, "28 CFR part 202"),
    ],
)
def test_a_transfer_is_refused_on_the_clause_of_its_own_law(
    tmp_path: Path, service: dict[str, Any], clause: str
) -> None:
    (fault,) = rules.faults(Subject(gather(loaded(tmp_path, service=service)), NOW))
    assert fault.endswith(f" [{clause}]")
