"""What may leave a node, when and how precisely: profiles as data with reasons, compiled for the node, compared.

Reads data and compiles it; enforces nothing, which is the node's part. Must never know a secret or a coordinate.
"""
