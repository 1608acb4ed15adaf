"""The style sheet of the page of a verdict: what it adds to that of `lemmata derive --html`."""

REPORT_STYLE = """\
:root { --sans: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.headline { font: 600 1.25rem/1.35 var(--sans); margin: 0.5rem 0; }
.target { margin: 0; overflow-wrap: anywhere; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.doubt { color: var(--doubt); }
.plain { color: var(--soft); }
.reasons, .notes { font-size: 0.92rem; padding-left: 1.2rem; }
.notes { list-style: none; padding: 0; font-family: var(--sans); }
.notes li { font-size: 0.85rem; margin: 0.25rem 0; overflow-wrap: anywhere; }
nav a.bad { color: var(--bad); }
nav li a { overflow-wrap: anywhere; }

table.checks { width: 100%; }
table.checks th, table.checks td { vertical-align: top; }
table.checks th:nth-child(2), table.checks td:nth-child(2) { text-align: right; white-space: nowrap; }
table.checks td:nth-child(n + 3), table.checks th:nth-child(n + 3) { min-width: 6.75rem; }
table.checks th small { display: block; font-weight: 400; color: var(--soft); }
table.checks td { font-variant-numeric: tabular-nums; }
table.checks td a { color: inherit; text-decoration: underline; }
td.good, td.bad, td.doubt, td.plain { white-space: nowrap; }
td.bad { font-weight: 600; }
td.good { color: var(--ink); }
.bar { display: block; width: 100%; height: 0.3rem; margin-top: 0.3rem; }
.room { fill: var(--rule); }
rect.within { fill: var(--good); }
rect.over { fill: var(--bad); }

.failure { margin: 2rem 0 2.5rem; }
.failure h3 { margin-top: 0; }
.failure > .message { font-weight: 600; color: var(--bad); overflow-wrap: anywhere; margin: 0.4rem 0; }
.failure.warned > .message { color: var(--doubt); }
.failure dl {
  display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.3rem 1rem; margin: 0.6rem 0;
  font-size: 0.92rem;
}
.failure dt { color: var(--soft); font-family: var(--sans); }
.failure dd { margin: 0; overflow-wrap: anywhere; }
.failure h4 { margin: 1.1rem 0 0.3rem; }
table.elements td, table.elements th { font-variant-numeric: tabular-nums; padding-right: 1.5rem; white-space: nowrap; }
table.elements td:first-child { min-width: 4rem; }
dd ul { margin: 0; padding-left: 1.1rem; }

.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(18.5rem, 1fr)); gap: 1rem 1.75rem; }
.plot { margin: 0.5rem 0; min-width: 0; break-inside: avoid; }
.plot figcaption {
  font: 600 0.85rem/1.4 var(--sans); margin-bottom: 0.2rem;
}
.plot svg { display: block; width: 100%; max-width: 27rem; height: auto; }
.plot text { font: 11px var(--sans); fill: var(--soft); }
.middle { text-anchor: middle; }
.end { text-anchor: end; }
.axis, .grid, .limit { fill: none; stroke-width: 1; }
.axis { stroke: var(--soft); }
.grid { stroke: var(--rule); opacity: 0.7; }
.limit { stroke: var(--bad); stroke-dasharray: 5 3; }
.beyond { fill: var(--bad); opacity: 0.07; }
.dot { fill: var(--link); fill-opacity: 0.65; }
.dot.over { fill: var(--bad); fill-opacity: 0.8; }
.dot.float64 { fill: var(--link); }
.dot.float32 { fill: var(--string); }
.dot.bfloat16 { fill: var(--number); }
.dot.float16 { fill: var(--keyword); }
.key { width: 0.85rem; height: 0.85rem; vertical-align: -0.08rem; margin-right: 0.2rem; }
.legend { font: 0.85rem/1.4 var(--sans); }
.legend span { margin-right: 1.2rem; white-space: nowrap; }

@media (max-width: 60rem) {
  .failure dl { grid-template-columns: minmax(0, 1fr); gap: 0.1rem; }
  .failure dd { margin-bottom: 0.4rem; }
}
@media print {
  .headline { font-size: 14pt; }
  table.checks { font-size: 8pt; }
  .plots { grid-template-columns: repeat(2, 1fr); }
  tr { break-inside: avoid; }
  nav { break-after: auto; page-break-after: auto; }
  svg, .beyond, .dot, rect { print-color-adjust: exact; }
}
"""
