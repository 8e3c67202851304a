"""How the report of a run looks, beside what all pages share: cards, charts, tables of stages and classes."""

from __future__ import annotations

REPORT = """
:root { --c0: #0a5dc2; --c1: #b8460b; --c2: #137a3a; --c3: #8a3ab0; --c4: #8a6100; --c5: #b3266b; --c6: #007a85;
  --c7: #5c6470; --band: #f0f2f6; }
@media (prefers-color-scheme: dark) {
  :root { --c0: #82b8ff; --c1: #ff9e64; --c2: #6fd58c; --c3: #d3a1f5; --c4: #e5c45c; --c5: #ff8fc1; --c6: #5fd3de;
    --c7: #b5bcc8; --band: #1d2128; }
}
.skip { position: absolute; left: -100vw; } .skip:focus { left: 1rem; top: .5rem; background: var(--back);
  padding: .4rem .8rem; z-index: 1; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
header.page { padding-bottom: 0; } header h1 { font-size: 1.7rem; }
main { padding-top: 0; } main:focus { outline: none; }
.verdict { border-left: .35rem solid var(--quiet); background: var(--soft); border-radius: 0 .4rem .4rem 0;
  padding: .8rem 1rem; margin: 1rem 0; }
.verdict p { margin: 0; font-size: 1.05rem; max-width: none; } .verdict b { display: block; font-size: 1.25rem; }
.verdict.gain { border-color: var(--good); } .gain b { color: var(--good); }
.verdict.no_clear_gain { border-color: var(--caution); } .no_clear_gain b { color: var(--caution); }
.verdict.below_floor, .verdict.broken { border-color: var(--bad); } .below_floor b, .broken b { color: var(--bad); }
.cards { display: grid; gap: .7rem; grid-template-columns: repeat(auto-fit, minmax(8.6rem, 1fr)); margin: 1rem 0; }
.cards div { background: var(--soft); border-radius: .4rem; padding: .6rem .8rem; }
.cards dt { color: var(--quiet); font-size: .8rem; }
.cards dd { margin: 0; font-size: 1.2rem; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.cards small { display: block; font-size: .78rem; font-weight: 400; color: var(--quiet); }
nav ul { display: flex; flex-wrap: wrap; gap: .1rem 1rem; list-style: none; padding: 0; margin: 0; font-size: .9rem; }
nav a { display: inline-block; padding: .3rem 0; }
.charts { display: grid; gap: 1.5rem 2rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); }
.chart { max-width: 31rem; } .chart svg { display: block; width: 100%; height: auto; }
.chart figcaption { margin: 0 0 .2rem; font-weight: 600; }
.chart text { fill: var(--quiet); font-size: 13px; font-family: system-ui, sans-serif; }
.chart text.strong { fill: var(--ink); font-weight: 600; }
.grid { stroke: var(--line); stroke-width: 1; } .band { fill: var(--band); }
.edge { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 1 3; }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.level { stroke: var(--ink); stroke-width: 1.4; stroke-dasharray: 6 4; fill: none; }
.mark { fill: var(--back); stroke: var(--ink); stroke-width: 2; }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); stroke-dasharray: 7 4; } .s2 { stroke: var(--c2);
  stroke-dasharray: 2 4; } .s3 { stroke: var(--c3); stroke-dasharray: 9 3 2 3; } .s4 { stroke: var(--c4);
  stroke-dasharray: 12 4; } .s5 { stroke: var(--c5); stroke-dasharray: 4 3; } .s6 { stroke: var(--c6);
  stroke-dasharray: 1 3; } .s7 { stroke: var(--c7); stroke-dasharray: 12 3 2 3 2 3; }
.d0 { fill: var(--c0); } .d1 { fill: var(--c1); } .d2 { fill: var(--c2); } .d3 { fill: var(--c3); }
.d4 { fill: var(--c4); } .d5 { fill: var(--c5); } .d6 { fill: var(--c6); } .d7 { fill: var(--c7); }
.bar { fill: var(--c0); fill-opacity: .55; stroke: var(--c0); } .gap { fill: none; stroke: var(--c1); stroke-width: 1.5;
  stroke-dasharray: 3 2; } .count { fill: var(--c7); fill-opacity: .55; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; padding: 0; margin: .3rem 0 0;
  font-size: .85rem; } .legend svg { display: inline-block; width: 30px; height: 10px; vertical-align: middle;
  margin-right: .35rem; }
.wide { overflow-x: auto; max-width: 100%; padding-bottom: .3rem; } .wide table { overflow-wrap: normal; }
.wide tbody th { white-space: nowrap; }
.freeze td { white-space: nowrap; } .freeze .off { color: var(--quiet); } .freeze small { display: block;
  color: var(--quiet); font-size: .78rem; }
.matrix td { text-align: right; min-width: 2.4rem; padding: .25rem .5rem; border: 1px solid var(--back);
  font-variant-numeric: tabular-nums; --own: 10 93 194; background: rgb(var(--own) / calc(var(--share, 0) * .5)); }
.matrix td.wrong { --own: 214 87 18; } .matrix td.none { color: var(--quiet); background: var(--soft); }
.matrix th { padding: .25rem .5rem .25rem 0; border: 0; }
.matrix thead th span { writing-mode: vertical-rl; transform: rotate(180deg); display: inline-block;
  max-height: 9rem; overflow: hidden; }
@media (prefers-color-scheme: dark) { .matrix td { --own: 70 140 240; } .matrix td.wrong { --own: 230 110 40; } }
.heat { width: min(36rem, 100%); image-rendering: pixelated; border: 1px solid var(--line); display: block; }
.side { display: grid; gap: 1rem 2.5rem; grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr));
  align-items: start; } .side > * { min-width: 0; }
.pictures { list-style: none; padding: 0; margin: .6rem 0; display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fill, minmax(min(9.5rem, 45%), 1fr)); }
.pictures li { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem; min-width: 0; break-inside: avoid; }

.pictures div { font-size: .9rem; line-height: 1.35; margin-top: .35rem; }
.pictures small { color: var(--quiet); display: block; line-height: 1.3; margin-top: .2rem; }
pre { background: var(--soft); padding: .8rem 1rem; border-radius: .4rem; overflow-x: auto; white-space: pre-wrap;
  margin: .5rem 0; } details { margin: .6rem 0; } summary { cursor: pointer; padding: .3rem 0; color: var(--accent); }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: .5rem 0; font-size: .9rem; }
.facts div { display: contents; } .facts dt { color: var(--quiet); } .facts dd { margin: 0; }
.phases { padding-left: 0; list-style: none; font-size: .9rem; margin: .5rem 0; }
.phases li { padding: .15rem 0; } .phases b { display: inline-block; min-width: 1.6rem; }
footer.page { color: var(--quiet); font-size: .85rem; }
@media (max-width: 30rem) { .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: .4rem; }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media print {
  :root { --c0: #0a4a9c; --c1: #a03a06; --c2: #0d5f2c; --c3: #702a90; --c4: #6b4c00; --c5: #8c1d54; --c6: #00616a;
    --c7: #4a505a; --band: #f0f2f6; }
  nav, .skip { display: none; }
  details::details-content { content-visibility: visible; height: auto; }
  .wide { overflow: visible; } .charts { grid-template-columns: 1fr 1fr; }
  .pictures { grid-template-columns: repeat(6, 1fr); }
}
"""
"""What the report of a run has beside it."""
