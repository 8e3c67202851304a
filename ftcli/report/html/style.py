"""How pages look: by day and by night, on a desk, on a telephone and on paper."""

from __future__ import annotations

BASE = """
:root { color-scheme: light dark; --back: #fff; --ink: #1b1d21; --quiet: #575c66; --line: #d4d7dd; --soft: #f4f5f7;
  --accent: #0a5dc2; --good: #13692c; --caution: #8a4b00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14161a; --ink: #e9eaed; --quiet: #adb3bd; --line: #3a3f48; --soft: #1e2127;
    --accent: #82b8ff; --good: #6fd58c; --caution: #ffb74d; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; background: var(--back); color: var(--ink);
  overflow-wrap: anywhere; }
main, .page { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.5rem 0 .6rem; }
h3 { font-size: .95rem; font-weight: 600; margin: 1.2rem 0 .4rem; }
p { margin: 0 0 .5rem; max-width: 46rem; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.quiet { color: var(--quiet); font-size: .875rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .85rem; }
table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; color: var(--quiet); font-size: .875rem; padding-bottom: .3rem; }
td, th { padding: .35rem 1.1rem .35rem 0; text-align: left; vertical-align: top; font-weight: 400;
  border-bottom: 1px solid var(--line); }
td:last-child, th:last-child { padding-right: 0; }
thead th { color: var(--quiet); font-size: .8rem; vertical-align: bottom; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.error { color: var(--bad); font-weight: 600; } .warning, .caution { color: var(--caution); font-weight: 600; }
.findings { width: 100%; }
.findings td:first-child, .findings tbody th { white-space: nowrap; }
.findings code { color: var(--quiet); white-space: nowrap; }
.findings p { margin: 0; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: .85rem; line-height: 1.4; margin-top: .4rem; }
.picture, .gone { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--soft);
  border-radius: .25rem; }
.picture.tiny { image-rendering: pixelated; }
.passage { margin: 0; padding: .5rem .7rem; background: var(--soft); border-radius: .25rem; font-size: .85rem;
  line-height: 1.4; overflow-wrap: anywhere; }
.gone { display: grid; place-items: center; color: var(--quiet); font-size: .8rem; text-align: center; margin: 0; }
@media (max-width: 40rem) {
  .findings thead { position: absolute; clip-path: inset(50%); }
  .findings, .findings caption, .findings tbody, .findings tr, .findings td:last-child { display: block; }
  .findings tr { padding: .6rem 0; border-bottom: 1px solid var(--line); }
  .findings td, .findings tbody th { padding: 0 .6rem 0 0; border: 0; }
  .findings td:first-child, .findings tbody th { display: inline-block; white-space: normal; }
}
@media print {
  :root { color-scheme: light; --back: #fff; --ink: #000; --quiet: #444; --line: #bbb; --soft: #f4f4f4;
    --accent: #0a4a9c; --good: #0d5221; --caution: #6d3b00; --bad: #8c1d18; }
  html { font-size: 9.5pt; } main, .page { max-width: none; padding: 0; }
  tfoot { display: table-row-group; }
  h2, h3, caption, figcaption { break-after: avoid; } tr, figure { break-inside: avoid; }
  img, svg, td { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
"""What all pages share."""
