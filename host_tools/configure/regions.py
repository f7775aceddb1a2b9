"""Where personal data may go from where, and on what ground: one law a jurisdiction, as data with its clauses.

It finds what was left unsaid or cannot be; it is no legal advice, and no measurement of where a broker stands. States
of adequacy and of restriction as of 2026-02; look again when a clause changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


EEA = _codes("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK")
# ISO 3166-1 alpha-2, the rest of the world; EU stands for all of the EEA.
_OTHERS = """
    AD AE AF AG AI AL AM AO AQ AR AS AU AW AX AZ BA BB BD BF BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF
    CG CH CI CK CL CM CN CO CR CU CV CW CX DJ DM DO DZ EC EG EH ER ET FJ FK FM FO GA GB GD GE GF GG GH GI GL GM GN GP
    GQ GS GT GU GW GY HK HM HN HT ID IL IM IN IO IQ IR JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LK LR LS
    LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MU MV MW MX MY MZ NA NC NE NF NG NI NP NR NU NZ OM PA PE PF PG
    PH PK PM PN PR PS PW PY QA RE RS RU RW SA SB SC SD SG SH SJ SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK
    TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
REGIONS = ("EU", *sorted(EEA | _codes(_OTHERS)))

JURISDICTION_NAMES = {
    "EU": "EU and EEA (GDPR)",
    "GB": "United Kingdom (UK GDPR)",
    "IN": "India (DPDP Act)",
    "US": "United States",
    "US-HIPAA": "United States, health data of a covered entity",
}
JURISDICTIONS = tuple(JURISDICTION_NAMES)
SAFEGUARD_NAMES = {
    "adequacy": "an adequacy decision or regulation for that country",
    "dpf": "the recipient is on the Data Privacy Framework list (for GB: with the UK Extension)",
    "scc": "the EU's standard contractual clauses are signed",
    "bcr": "approved binding corporate rules",
    "idta": "the UK's International Data Transfer Agreement is signed",
    "uk-addendum": "the UK Addendum to the EU's clauses is signed",
    "not-restricted": "India has not restricted that country by notification",
    "baa": "a business associate agreement with the endpoint's operator is signed",
    "contract": "a contract with the endpoint's operator",
}
SAFEGUARDS = tuple(SAFEGUARD_NAMES)

# Commission decisions under Art. 45 GDPR (and Directive 95/46) in force, CA for commercial organisations; US through
# "dpf" only.
_EU_ADEQUATE = _codes("AD AR CA CH FO GB GG IL IM JE JP KR NZ UY")
# Data Protection Act 2018, Schedule 21 paragraphs 4-5, and SI 2022/1213 (Korea).
_UK_ADEQUATE = EEA | _codes("AD AR CA CH EU FO GG GI IL IM JE JP KR NZ UY")
_OF_CONCERN = _codes("CN CU HK IR KP MO RU VE")


@dataclass(frozen=True)
class Law:
    """Of one jurisdiction: home, where nothing further is asked; per safeguard its clause and, where it holds
    for some countries only, those; barred: countries where none helps, and by which clause. always: asked for at home
    too."""

    clause: str
    home: frozenset[str]
    safeguards: Mapping[str, tuple[str, frozenset[str] | None]]
    barred: frozenset[str] = field(default=frozenset())
    barred_clause: str = ""
    always: bool = False


LAWS: dict[str, Law] = {
    "EU": Law(
        "GDPR Art. 44",
        EEA | _codes("EU AX GF GP MF MQ RE YT"),  # with the outermost regions, TFEU Art. 355(1)
        {
            "adequacy": ("GDPR Art. 45", _EU_ADEQUATE),
            "dpf": ("GDPR Art. 45, Decision (EU) 2023/1795", frozenset({"US"})),
            # Art. 49 is left out: its exceptions are not for a transfer that goes on and on (EDPB Guidelines 2/2018).
            "scc": ("GDPR Art. 46(2)(c), Decision (EU) 2021/914", None),
            "bcr": ("GDPR Art. 46(2)(b) and 47", None),
        },
    ),
    "GB": Law(
        "UK GDPR Art. 44A",
        frozenset({"GB"}),
        {
            "adequacy": ("UK GDPR Art. 45A, DPA 2018 Schedule 21", _UK_ADEQUATE),
            "dpf": ("UK GDPR Art. 45A, SI 2023/1028", frozenset({"US"})),
            "idta": ("UK GDPR Art. 46, DPA 2018 s. 119A", None),
            "uk-addendum": ("UK GDPR Art. 46, DPA 2018 s. 119A", None),
            "bcr": ("UK GDPR Art. 47", None),
        },
    ),
    "IN": Law(
        "DPDP Act 2023 s. 16(1)",
        frozenset({"IN"}),
        # No country is restricted by notification so far; whoever says "not-restricted" has looked.
        {"not-restricted": ("DPDP Act 2023 s. 16(1), DPDP Rules 2025 rule 15", None)},
    ),
    "US": Law(
        "28 CFR part 202",
        frozenset({"US"}),
        {"contract": ("28 CFR part 202", None)},
        _OF_CONCERN,
        "28 CFR 202.601",
    ),
    "US-HIPAA": Law(
        "HIPAA, 45 CFR 164.308(b) and 164.502(e)",
        frozenset({"US"}),
        {"baa": ("HIPAA, 45 CFR 164.504(e)", None)},
        _OF_CONCERN,
        "28 CFR 202.601",
        always=True,
    ),
}


def described(names: Mapping[str, str]) -> str:
    """ "EU: EU and EEA (GDPR); ..." """
    return "; ".join(f"{name}: {text}" for name, text in names.items())


def transfer_fault(jurisdiction: str, region: str, safeguard: str | None) -> str | None:
    """What speaks against data of `jurisdiction` going to `region` under `safeguard`, and what would do; None:
    nothing that these three words show. All three are of the tables above."""
    law = LAWS[jurisdiction]
    if region in law.barred:
        return f"{region} is barred for data of {jurisdiction} ({law.barred_clause}): use an endpoint elsewhere"
    if region in law.home and not law.always:
        return None
    fitting = [name for name, (_, where) in law.safeguards.items() if where is None or region in where]
    if safeguard in fitting:
        return None
    stated = "no safeguard is stated" if safeguard is None else f"{safeguard!r} is no ground for that"
    choice = ", ".join(f"{name} ({law.safeguards[name][0]})" for name in fitting)
    return f"data of {jurisdiction} go to {region} and {stated} ({law.clause}): one of {choice}"
