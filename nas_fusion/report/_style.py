"""The style sheet of the HTML report: responsive, prints well, follows a light or dark desktop."""

CSS = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #52606d; --line: #d9dee3; --page: #ffffff; --panel: #f5f7f9;
  --accent: #0b6e4f; --accent-soft: #e6f4ee; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --soft: #a9b4bf; --line: #3b4651; --page: #171c21;
  --panel: #20272e; --accent: #6fd3ac; --accent-soft: #183329; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 80rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .5rem 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; }
p, li { max-width: 48rem; }
.lead, .note { color: var(--soft); }
.note { font-size: .9rem; }
.verdict { margin: 1.2rem 0; padding: .9rem 1.1rem; border-left: 5px solid var(--accent); border-radius: 4px;
  background: var(--accent-soft); font-size: 1.08rem; }
.verdict p { margin: 0 0 .5rem; max-width: 62rem; }
.verdict p:last-child { margin: 0; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1.2rem; margin: .8rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.results { width: 100%; font-size: .82rem; }
th, td { padding: .36rem .36rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
thead th { white-space: normal; }
th { font-weight: 600; vertical-align: bottom; color: var(--soft); border-bottom-width: 2px; }
th:first-child { text-align: left; }
tbody th { color: inherit; border-bottom-width: 1px; }
tr.best > * { background: var(--accent-soft); font-weight: 650; }
tr.found > * { font-weight: 650; }
tr.absent > *, tr.reference > * { color: var(--soft); font-style: italic; }
figure { margin: 1rem 0 1.8rem; }
figcaption { font-size: .92rem; color: var(--soft); max-width: 48rem; margin-bottom: .4rem; }
figcaption b { color: var(--ink); }
.card { background: #fcfcfb; color: #1f2933; border: 1px solid var(--line); border-radius: 8px; padding: .4rem;
  color-scheme: light; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 1rem 1.2rem; }
.pair > * { min-width: 0; }
.drawing { overflow-x: auto; }
.drawing svg { display: block; width: 100%; min-width: 40rem; max-width: 72rem; height: auto; margin: 0 auto; }
.half { max-width: 44rem; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem; margin: .6rem 0 0; }
button { font: inherit; font-size: .84rem; line-height: 1.3; color: var(--ink); background: var(--panel);
  border: 1px solid var(--line); border-radius: 1rem; padding: .16rem .6rem; cursor: pointer; }
.legend button[aria-pressed="false"] { color: var(--soft); background: none; text-decoration: line-through; }
.legend button[aria-pressed="false"] .mark { opacity: .35; }
.mark { vertical-align: -.12em; margin-right: .4em; overflow: visible; }
.front { color: #52606d; font-size: .84rem; margin: .1rem .4rem .3rem; overflow-wrap: anywhere; }
.call { display: inline-block; min-width: 4.2em; }
.call.better { font-weight: 650; }
.call.tie, .call.reference, .call.unknown { color: var(--soft); }
td.words { text-align: left; }
.sentences td { text-align: left; white-space: normal; min-width: 18rem; }
details.design { border-top: 1px solid var(--line); padding: .35rem 0; }
summary { cursor: pointer; padding: .2rem 0; }
summary .note { margin-left: .4rem; }
.contents { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; padding: 0; list-style: none; }
a { color: var(--accent); }
article { border-top: 6px solid var(--line); margin-top: 3.5rem; }
ul.words { margin: .5rem 0 0; padding-left: 1.2rem; font-size: .93rem; columns: 26rem; }
pre { background: var(--panel); border-radius: 6px; padding: .8rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere;
  font-size: .9rem; }
.settings { font-size: .92rem; }
@media (max-width: 40rem) {
  body { padding: .75rem .75rem 3rem; font-size: 15px; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  .results { font-size: .76rem; }
  .results th:first-child { position: sticky; left: 0; background: var(--page); z-index: 1; }
  .results tr.best th:first-child { background: var(--accent-soft); }
}
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --page: #fff; --panel: #f4f4f4;
    --accent: #0b6e4f; --accent-soft: #eef7f3; }
  @page { margin: 14mm; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  .scroll, .drawing { overflow: visible; }
  .results { font-size: 6.8pt; }
  th, td { padding: .15rem .18rem; }
  .card, .design, tr, .verdict { break-inside: avoid; }
  h2, h3, figcaption { break-after: avoid; }
  figcaption, p, li { break-inside: avoid; }
  .pair { display: block; }
  .drawing svg { min-width: 0; }
  .modebar, .every, .open-all, nav { display: none !important; }
  article { break-before: page; border-top: 0; }
  .legend button[aria-pressed="false"] { display: none; }
  .js-plotly-plot { overflow: hidden; }
}
"""
