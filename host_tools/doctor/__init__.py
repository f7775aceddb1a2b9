"""What is wrong with this machine or a node, what it means, and what to do."""
