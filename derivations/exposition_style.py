"""The style sheet of the page: light and dark, wide and narrow, screen and paper."""

STYLE = """\
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1b1b1f; --soft: #5c5f66; --rule: #d9dbe0; --shade: #f5f6f8; --link: #1a56b0;
  --good: #14733b; --bad: #b3261e; --doubt: #8a5a00;
  --keyword: #8b2f97; --string: #14733b; --number: #a04a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181d; --ink: #e4e5e9; --soft: #a0a4ad; --rule: #363a43; --shade: #1f2229; --link: #8ab4f8;
    --good: #6fcf97; --bad: #ff8a80; --doubt: #f2c14e;
    --keyword: #d8a1e6; --string: #8fd3a4; --number: #f0b07a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 82rem; padding: 0 1.5rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 Georgia, "Times New Roman", serif;
  display: grid; grid-template-columns: 17rem minmax(0, 1fr); column-gap: 2.5rem;
}
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
h1, h2, h3, h4, nav, table, summary, .reason, .status, .verdict, .note, footer {
  font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 2rem; line-height: 1.2; margin: 2rem 0 0.5rem; }
h2 { font-size: 1.5rem; margin: 3rem 0 0.5rem; padding-top: 0.75rem; border-top: 2px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 0.5rem; }
h4 { font-size: 0.95rem; font-weight: 600; margin: 0 0 0.4rem; }
:target { scroll-margin-top: 1rem; }
math { font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math", math; font-size: 1.05em; }
code, pre {
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: 0.85em;
}
pre {
  background: var(--shade); padding: 0.75rem 1rem; overflow-x: auto; border-radius: 4px;
  line-height: 1.45;
}
p > code, td > code, li > code, h4 > code {
  background: var(--shade); padding: 0.1em 0.3em; border-radius: 3px;
}

nav {
  position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding: 2rem 0 1rem;
  font-size: 0.82rem; line-height: 1.4;
}
nav p { margin: 0.5rem 0 0.25rem; font-weight: 600; font-size: 0.95rem; }
nav ul { list-style: none; margin: 0; padding: 0 0 0 0.75rem; }
nav > ul { padding: 0; }
nav li { margin: 0.15rem 0; }
nav ul ul a {
  display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--soft);
}
nav .bad a { color: var(--bad); }
.label { font-variant-numeric: tabular-nums; font-weight: 600; color: var(--soft); }
main { min-width: 0; padding-bottom: 4rem; }

.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88rem; }
th, td {
  text-align: left; vertical-align: baseline; padding: 0.3rem 1.25rem 0.3rem 0;
  border-bottom: 1px solid var(--rule);
}
th { font-weight: 600; }
td:first-child { min-width: 8rem; }
table math { font-size: 1.1em; }

.statement { margin: 1.25rem 0; padding-left: 0.9rem; border-left: 3px solid var(--rule); }
.statement:target { border-left-color: var(--link); }
.status, .verdict { font-size: 0.8rem; font-weight: 600; }
.status { margin-left: 0.4rem; white-space: nowrap; }
.proved { color: var(--good); }
.refuted { color: var(--bad); }
.open { color: var(--doubt); }
summary { cursor: pointer; font-size: 0.82rem; color: var(--soft); }

.line {
  display: flex; flex-wrap: wrap; column-gap: 2rem; align-items: baseline;
  justify-content: space-between;
}
.formula {
  flex: 0 1 auto; min-width: 0; max-width: 100%; overflow-x: auto; overflow-y: hidden;
  padding: 0.3rem 0 0.3rem 2rem;
}
.head { white-space: nowrap; margin-left: -2rem; }
.sign { display: inline-block; min-width: 1.75rem; }
.reason {
  flex: 0 1 auto; margin-left: auto; font-size: 0.8rem; font-style: italic; color: var(--soft);
  text-align: right;
}
.line.bad .formula, .line.bad .reason { color: var(--bad); }
.note, .source { font-size: 0.85rem; color: var(--soft); margin: 0.3rem 0; }
footer {
  margin-top: 3rem; padding-top: 0.75rem; border-top: 1px solid var(--rule); font-size: 0.8rem;
  color: var(--soft);
}

.p-k, .p-kn, .p-kc, .p-ow { color: var(--keyword); }
.p-s1, .p-s2, .p-sd, .p-sa, .p-si { color: var(--string); }
.p-mi, .p-mf { color: var(--number); }
.p-c1 { color: var(--soft); font-style: italic; }
.p-nf, .p-nc { font-weight: 600; }

@media (max-width: 60rem) {
  body { display: block; padding: 0 1rem; }
  nav {
    position: static; max-height: 16rem; margin-top: 1rem; padding: 0.5rem 0.75rem;
    border: 1px solid var(--rule); border-radius: 4px;
  }
  h1 { font-size: 1.6rem; }
  .reason { margin-left: 2rem; text-align: left; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --shade: #f4f4f4; --link: #000; --good: #000; }
  body { display: block; max-width: none; padding: 0; font-size: 9.5pt; }
  nav { position: static; max-height: none; columns: 2; page-break-after: always; }
  nav ul ul a { white-space: normal; }
  pre { white-space: pre-wrap; }
  h2, h3, h4 { break-after: avoid; }
  .line, .statement h4 { break-inside: avoid; }
  .formula, .wide, pre { overflow: visible; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
  details > summary { display: none; }
}
"""
