"""A node's configuration: node.toml read and checked, compiled for the node, written to it, compared and exported.

Nothing here prints but commands.py; the command line is host_tools.cli_configure.
"""
