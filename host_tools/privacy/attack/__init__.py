"""What positions give away: attackers on traces that went through the firmware's own stages, and through what
others do.

Figures are of whole sets of traces. Must never print, draw or keep where one of them lives or parks.
"""
