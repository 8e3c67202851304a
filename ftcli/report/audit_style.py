"""How the pairs of an audit look, beside what all pages share."""

from __future__ import annotations

PAIRS = """
tbody th { overflow-wrap: normal; }
.pairs { list-style: none; margin: 0; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); }
.pair { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem; min-width: 0; break-inside: avoid; }
.pair h3 { font-weight: 500; margin: 0 0 .6rem; }
.sides { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .8rem; }
@media print { .pairs { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
"""
