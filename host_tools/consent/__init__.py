"""Consent on the controller's side: grants, delegations, commands to nodes, and what nodes' logs say of them. The
formats stand in ``plumveil.terms``; see docs/consent.md.

Nothing here but `commands` and `show` prints, and nothing ever prints a secret.
"""
