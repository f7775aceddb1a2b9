"""The tenant's keystore: its file, its roles, what is taken out of it and what is let in. See docs/keys.md.

Nothing here prints; the command line is host_tools.cli_keys.
"""
