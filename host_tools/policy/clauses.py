"""The clauses that profiles may stand on, each with its gist in our words; numbers as of November 2026.

A rule that cites one is an engineer's reading of it, no legal advice. A clause that is not here is refused in a
profile: it is looked up first.
"""

from __future__ import annotations

_GDPR = {
    "Art. 5(1)(b)": "collected for stated purposes, and not used for others",
    "Art. 5(1)(c)": "adequate, relevant, and no more than the purpose needs",
    "Art. 5(1)(e)": "kept in a form that identifies no longer than the purpose needs",
    "Art. 5(1)(f)": "kept secure, by technical and organisational measures",
    "Art. 6(1)(a)": "lawful under the person's consent",
    "Art. 6(1)(b)": "lawful where a contract with the person needs it",
    "Art. 6(1)(f)": "lawful for legitimate interests that the person's do not outweigh",
    "Art. 7(3)": "consent can be taken back at any time, as easily as it was given",
    "Art. 9(2)(a)": "health data: lawful under the person's explicit consent",
    "Art. 9(2)(h)": "health data: lawful for care and treatment, on the basis of law or contract",
    "Art. 9(2)(i)": "health data: lawful for public health, such as the quality of medicines, on the basis of law",
    "Art. 25(1)": "principles built in, such as minimisation by pseudonyms",
    "Art. 25(2)": "by default no more is collected, kept or shown than each purpose needs",
    "Art. 32(1)(a)": "pseudonyms and encryption, as fits the risk",
}
CLAUSES: dict[str, str] = {
    **{f"GDPR {clause}": gist for clause, gist in _GDPR.items()},
    # The same numbers, as amended by the Data (Use and Access) Act 2025.
    **{f"UK GDPR {clause}": gist for clause, gist in _GDPR.items()},
    "GDPR Art. 44": "no transfer to a third country but on the grounds of chapter V",
    "UK GDPR chapter V": "no restricted transfer but on the grounds of that chapter",
    "DPDP Act 2023 s. 4(1)": "lawful under consent, or for certain legitimate uses",
    "DPDP Act 2023 s. 5(1)": "consent is asked for with a notice of what is taken and what for",
    "DPDP Act 2023 s. 6(1)": "consent covers what its stated purpose needs, and no more",
    "DPDP Act 2023 s. 6(4)": "consent can be withdrawn as easily as it was given",
    "DPDP Act 2023 s. 7": "legitimate uses that need no consent, such as employment",
    "DPDP Act 2023 s. 8(4)": "technical and organisational measures to keep to the Act",
    "DPDP Act 2023 s. 8(5)": "reasonable safeguards against a breach",
    "DPDP Act 2023 s. 8(7)": "erased once consent is withdrawn, or the purpose is served",
    "DPDP Act 2023 s. 9(3)": "no tracking and no monitoring of the behaviour of children",
    "DPDP Act 2023 s. 16(1)": "the Government may restrict transfers to countries it names",
    "DPDP Rules 2025 r. 6(1)(a)": "encryption, masking, or tokens in the person's place",
    "DPDP Rules 2025 r. 15": "conditions on transfers out of India",
    "45 CFR 164.308(b)": "a business associate gives written assurances before it has health information",
    "45 CFR 164.312(a)(2)(iv)": "stored health information can be encrypted",
    "45 CFR 164.312(e)(2)(ii)": "health information is encrypted on its way where that is fit",
    "45 CFR 164.502(a)(1)(ii)": "uses for treatment, payment and operations",
    "45 CFR 164.502(b)": "no more health information than the purpose needs",
    "45 CFR 164.502(e)": "disclosed to a business associate under its assurances",
    "45 CFR 164.514(b)(2)(i)(B)": "no geographic subdivision smaller than a state, but for the first"
    " three digits of a ZIP code where more than 20,000 people live in all that begin with them",
    "45 CFR 164.514(b)(2)(i)(C)": "no element of a date but the year, where it relates to a person; no age over 89",
    "45 CFR 164.514(b)(2)(i)(M)": "no device identifier and no serial number",
    "45 CFR 164.514(b)(2)(i)(R)": "no other unique number, characteristic or code",
    "45 CFR 164.514(c)": "a code that leads back comes of nothing about the person, and the way back stays secret",
    "45 CFR 164.514(d)": "how the minimum necessary is determined",
}
