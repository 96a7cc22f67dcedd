// The scatter of a cell: hover tells, a click chooses.
"use strict";
(() => {
  const place = document.getElementById("scatter");
  if (!place) return;
  const { points, axes, kinds, source } = leakage.cells[document.body.dataset.cell];
  const known = points.filter((one) => one.cosine !== null && one.delta !== null);
  const tip = leakage.make("div", { class: "tip", role: "tooltip", hidden: "" });
  document.body.append(tip);

  const edge = (width, colour = "ink") => ({ width, color: leakage.colour(colour) });
  const marks = () => ({
    outside: { symbol: "x-thin", size: 8, line: edge(1.5, "dim") },
    bystander: { symbol: "circle", size: 8, color: leakage.colour("mark"), opacity: 0.75 },
    shares_word: { symbol: "diamond", size: 11, color: leakage.colour("word"), line: edge(1) },
    source: { symbol: "star", size: 17, color: leakage.colour("source"), line: edge(1) },
  });
  const ring = (size, colour, width) => ({ symbol: "circle-open", size, color: colour, line: { width } });
  const trace = (rows, name, marker, more = {}) => ({
    type: "scatter", mode: "markers", name, marker, hoverinfo: "none",
    x: rows.map((one) => one.cosine), y: rows.map((one) => one.delta), customdata: rows.map((one) => one.persona),
    ...more,
  });

  const traces = () => {
    const kindsDrawn = Object.entries(marks()) // the source last, on top of the others
      .map(([kind, marker]) => [kind, known.filter((one) => one.kind === kind), marker])
      .filter(([, rows]) => rows.length)
      .map(([kind, rows, marker]) => trace(rows, kinds[kind], marker, { legendrank: kind === "outside" ? 2000 : 1000 }));
    const trained = known.filter((one) => one.trained);
    const chosen = known.filter((one) => one.persona === leakage.chosen?.());
    const over = { hoverinfo: "skip" };
    return [
      ...kindsDrawn,
      ...(trained.length ? [trace(trained, "trained negative", ring(15, leakage.colour("ink"), 1.3), over)] : []),
      trace(chosen, "chosen", ring(22, leakage.colour("accent"), 3), {
        ...over, showlegend: false, mode: "markers+text", text: chosen.map((one) => escaped(one.persona)),
        textposition: "top center", textfont: { color: leakage.colour("ink"), size: 13 }, cliponaxis: false,
      }),
    ];
  };
  // the library reads a few tags in texts
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

  const draw = () => {
    const layout = {
      ...leakage.layout(), hovermode: "closest", uirevision: "kept",
      xaxis: leakage.axis(escaped(axes.x)), yaxis: leakage.axis(escaped(axes.y)),
      shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 0, y1: 0, line: { ...edge(1, "dim"), dash: "dash" } }],
    };
    return Plotly.react(place, traces(), layout, leakage.options);
  };
  leakage.drawScatter = draw;
  leakage.whenColoursChange(draw);

  const show = ({ points: [hit], event }) => {
    const one = points.find((row) => row.persona === hit.customdata);
    const line = (name, text) => leakage.make("div", {}, leakage.make("span", {}, name), text);
    tip.replaceChildren(
      leakage.make("strong", {}, one.persona), leakage.make("em", {}, one.system),
      line("cosine", one.cosine_text), line("before", one.before), line("after", one.after),
      line("change", one.delta_text),
      ...(one.kind === "bystander" ? [] : [leakage.make("div", {}, kinds[one.kind])]),
      ...(one.trained ? [leakage.make("div", {}, "trained on the opposite")] : []),
    );
    tip.hidden = false;
    const room = (at, size, all) => Math.max(8, Math.min(at + 14, all - size - 8));
    tip.style.left = `${room(event.clientX, tip.offsetWidth, innerWidth)}px`;
    // below the mark where there is room, above it otherwise: never under the pointer
    const below = event.clientY + 14;
    tip.style.top = `${below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 14 : below}px`;
  };
  place.on("plotly_hover", show);
  place.on("plotly_unhover", () => { tip.hidden = true; });
  place.on("plotly_click", ({ points: [hit] }) => { tip.hidden = true; leakage.choose(hit.customdata); });
  performance.mark("scatter-drawn");
})();
