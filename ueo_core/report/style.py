"""The look of the report: one style sheet, light and dark, on screen and on paper."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b2733; --soft: #5a6875; --grid: #dde3e9;
  --box: #f1f4f7; --before: #7a8a9b; --after: #0072b2; --unknown: #d55e00; --green: #00805d; --mark: #b3589a; }
@media (prefers-color-scheme: dark) { :root { --paper: #11181f; --ink: #e8edf2; --soft: #9fadba;
  --grid: #2c3945; --box: #1c2630; --before: #93a3b4; --after: #4fb0e8; --unknown: #f08a3c;
  --green: #35c79d; --mark: #dd8fc6; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 2rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; } h2 { font-size: 1.3rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: .3rem 0; } p { margin: .4rem 0; } .soft, figcaption { color: var(--soft); font-size: .9rem; }
.verdict { background: var(--box); border-left: 6px solid var(--before); border-radius: 6px;
  padding: .8rem 1.1rem; margin: 1rem 0; } .verdict ul { margin: .4rem 0 0; padding-left: 1.2rem; }
.verdict.better { border-color: var(--green); } .verdict.worse { border-color: var(--unknown); }
.verdict.mixed { border-color: var(--mark); } .verdict b { font-size: 1.08rem; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 1.2rem; }
.two > :only-child { max-width: 560px; } figure { margin: 0; } svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .93rem; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--grid); vertical-align: top; }
th:first-child, .facts td { text-align: left; } thead th { font-weight: 650; } tbody th { font-weight: 450; }
.scroll { overflow-x: auto; } td.good { color: var(--green); font-weight: 650; }
td.bad { color: var(--unknown); font-weight: 650; }
.confusion td { text-align: center; padding: .2rem .3rem; } .confusion th { font-size: .8rem; padding: .2rem .3rem; }
.confusion td.right { outline: 2px solid var(--after); outline-offset: -2px; }
.wall { display: grid; grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)); gap: .7rem; }
.wall figure { border: 1px solid var(--grid); border-radius: 6px; padding: .35rem; font-size: .82rem; line-height: 1.3; }
.wall img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; background: var(--box); border-radius: 4px; }
.wall .was { color: var(--soft); } code { font-size: .88rem; }
pre { background: var(--box); padding: .7rem; border-radius: 6px; white-space: pre-wrap; font-size: .85rem; }
.tick { font-size: 12px; fill: var(--soft); } .name { font-size: 13px; fill: var(--ink); }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); fill: none; }
.curve { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.curve.loss, .curve.after { stroke: var(--after); } .curve.before { stroke: var(--before); stroke-dasharray: 7 4; }
.curve.entropy { stroke: var(--unknown); stroke-dasharray: 7 4; }
.curve.marginal { stroke: var(--green); stroke-dasharray: 2 4; stroke-linecap: round; }
.curve.coin { stroke: var(--grid); stroke-dasharray: 2 4; }
.bar.known { fill: var(--after); } .bar.unknown { fill: url(#stripes); stroke: var(--unknown); }
.bar.images { fill: var(--before); } .stripe { stroke: var(--unknown); stroke-width: 3; }
.threshold { stroke: var(--mark); stroke-width: 3; stroke-dasharray: 8 3; fill: none; }
.dot.before { fill: var(--before); } .dot.after { fill: var(--after); }
.whisker { stroke-width: 2; opacity: .6; fill: none; } .whisker.before { stroke: var(--before); }
.whisker.after { stroke: var(--after); }
@media print { body { max-width: none; } h2, figure, table { break-inside: avoid; } }
"""
