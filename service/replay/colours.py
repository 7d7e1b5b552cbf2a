"""The colours of pictures: those of the page's stage, which is dark in both of its themes."""

STAGE = "#0b0e12"
PLATE = "#1a2028"
RIM = "#7a8593"
LINE = "#5f6976"
TEXT = "#ece9e2"
MUTED = "#a0a7b2"

SEATS = ("#f0b45f", "#86b7dc")
"""Amber is the first seat, blue the second one, as the page shows them to who only watches."""

PALETTE = (STAGE, PLATE, RIM, LINE, TEXT, MUTED, *SEATS)
