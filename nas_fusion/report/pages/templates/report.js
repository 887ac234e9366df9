"use strict";
const narrow = window.matchMedia("(max-width: 40rem)");
const sources = new Map();
for (const source of document.querySelectorAll("script[data-plot]")) sources.set(source.dataset.plot, source);
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
function shownIn(legend, figure) {
  figure.layout.showlegend = false;
  const pressed = new Map();
  for (const b of legend.querySelectorAll("[data-strategy]")) pressed.set(b.dataset.strategy, isOn(b));
  for (const trace of figure.data) if (pressed.has(trace.legendgroup)) trace.visible = pressed.get(trace.legendgroup);
}
function isOn(button) { return button.getAttribute("aria-pressed") === "true"; }
function draw(id) {
  const source = sources.get(id);
  if (!source) return;
  sources.delete(id);
  const figure = JSON.parse(source.textContent);
  const legend = document.querySelector(`.legend[data-plots~="${id}"]`);
  if (legend) shownIn(legend, figure);
  return Plotly.newPlot(id, figure.data, fit(figure.layout), {
    responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]]
  });
}
function waiting() {
  const closed = id => document.getElementById(id).closest("details:not([open])");
  return [...sources.keys()].filter(id => !closed(id));
}
function drawAll() { return Promise.all(waiting().map(draw)); }
// One figure after the other, with a breath between them. A page is loaded when no picture is on its way, so these empty
// ones let whoever waits for it (a screenshot, a printer) wait for the figures, too.
function drawInTurn() {
  const [id] = waiting();
  if (id === undefined) return;
  const breath = new Image();
  breath.onload = breath.onerror = () => { draw(id); drawInTurn(); };
  breath.src = `data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==#${id}`;
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
    } else show(legend, button, !isOn(button));
  });
}
for (const button of document.querySelectorAll("button.open-all")) {
  button.addEventListener("click", () => {
    for (const details of button.closest("section").querySelectorAll("details")) details.open = true;
  });
}
// A box that scrolls says so: what is cut off fades out at that edge.
function fade(box) {
  const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
  box.classList.toggle("more-left", box.scrollLeft > 1);
  box.classList.toggle("more-right", rest > 1);
}
const sizes = new ResizeObserver(entries => { for (const entry of entries) fade(entry.target); });
for (const box of document.querySelectorAll(".scroll, .drawing")) {
  fade(box);
  sizes.observe(box);
  box.addEventListener("scroll", () => fade(box), {passive: true});
}
const near = new IntersectionObserver(entries => {
  for (const entry of entries) if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target.id); }
}, {rootMargin: "800px"});
for (const place of document.querySelectorAll(".plot")) near.observe(place);
drawInTurn();
window.addEventListener("beforeprint", drawAll);
