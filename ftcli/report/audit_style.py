"""How the page of an audit looks: by day and by night, on a desk, on a telephone and on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #b3261e; --caution: #8a4b00; --quiet: #555; --back: #8881; }
@media (prefers-color-scheme: dark) {
  :root { --bad: #ff8a80; --caution: #ffb74d; --quiet: #b8b8b8; }
}
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; background: Canvas; color: CanvasText; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h3 { font-size: .9rem; font-weight: 500; margin: 0 0 .6rem; }
p { margin: 0; }
.quiet { color: var(--quiet); font-size: .9rem; }
code { color: var(--quiet); font-size: .8rem; white-space: nowrap; }
table { border-collapse: collapse; }
td, th { padding: .5rem 1.25rem .5rem 0; text-align: left; vertical-align: top; font-weight: 400;
  border-bottom: 1px solid var(--line); }
td:last-child, th:last-child { padding-right: 0; }
thead th { color: var(--quiet); font-size: .8rem; padding-block: .2rem; white-space: nowrap; }
.findings { width: 100%; } .findings td:first-child, .findings tbody th { white-space: nowrap; }
.not-checked tbody th, .copies tbody th { overflow-wrap: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.error { color: var(--bad); font-weight: 600; } .warning, .caution { color: var(--caution); font-weight: 600; }
.pairs { list-style: none; margin: 0; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); }
.pair { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem; min-width: 0; }
.sides { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .8rem; }
figure { margin: 0; min-width: 0; }
img, .gone { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--back);
  border-radius: .25rem; }
.gone { display: grid; place-items: center; color: var(--quiet); font-size: .8rem; }
figcaption { font-size: .8rem; line-height: 1.4; margin-top: .4rem; }
@media (max-width: 40rem) {
  .findings thead { position: absolute; clip-path: inset(50%); }
  .findings, .findings tbody, .findings tr, .findings td:last-child { display: block; }
  .findings tr { padding: .6rem 0; border-bottom: 1px solid var(--line); }
  .findings td, .findings tbody th { padding: 0 .6rem 0 0; border: 0; }
  .findings td:first-child, .findings tbody th { display: inline-block; }
}
@media print {
  :root { color-scheme: light; --bad: #8c1d18; --caution: #6d3b00; --quiet: #444; }
  html { font-size: 9.5pt; } main { max-width: none; padding: 0; }
  h2 { break-after: avoid; } tr, .pair { break-inside: avoid; }
  .pairs { grid-template-columns: repeat(3, minmax(0, 1fr)); } img { print-color-adjust: exact; }
}
"""
