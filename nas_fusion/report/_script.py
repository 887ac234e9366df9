"""The page's own script: draws the figures, each when it can be seen, and lets the legends hide strategies."""

JS = """
"use strict";
const narrow = window.matchMedia("(max-width: 40rem)");
const drawn = new Set();
function fit(layout) {
  if (!narrow.matches) return layout;
  layout.font.size = 11;
  for (const [name, axis] of Object.entries(layout)) {
    if (!/^[xy]axis/.test(name)) continue;
    if (axis.nticks) axis.nticks = Math.min(axis.nticks, 4);
    if (axis.tickfont) axis.tickfont.size = 9;
  }
  return layout;
}
function draw(source) {
  const id = source.dataset.plot;
  if (drawn.has(id)) return;
  drawn.add(id);
  const figure = JSON.parse(source.textContent);
  return Plotly.newPlot(id, figure.data, fit(figure.layout), {
    responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]]
  });
}
function drawIn(root) {
  for (const source of root.querySelectorAll("script[data-plot]")) {
    const closed = source.parentElement.closest("details:not([open])");
    if (!closed) draw(source);
  }
}
function show(legend, button, on) {
  button.setAttribute("aria-pressed", on);
  for (const id of legend.dataset.plots.split(" ")) {
    const plot = document.getElementById(id);
    if (!plot || !plot.data) continue;
    const at = plot.data.map((t, i) => t.legendgroup === button.dataset.strategy ? i : -1).filter(i => i >= 0);
    if (at.length) Plotly.restyle(plot, {visible: on}, at);
  }
}
for (const legend of document.querySelectorAll(".legend")) {
  legend.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.classList.contains("every")) {
      for (const other of legend.querySelectorAll('[aria-pressed="false"]')) show(legend, other, true);
    } else show(legend, button, button.getAttribute("aria-pressed") !== "true");
  });
}
for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", () => { if (details.open) drawIn(details); });
}
for (const button of document.querySelectorAll("button.open-all")) {
  button.addEventListener("click", () => {
    for (const details of button.closest("section").querySelectorAll("details")) details.open = true;
  });
}
drawIn(document);
document.documentElement.dataset.drawn = "yes";
"""
