// What the scripts of a page share. Pages on a file system cannot load modules, so there is one global.
"use strict";
globalThis.leakage = { cells: {}, answers: {}, transcripts: {}, votes: {} };

/** An element with attributes and children; strings become text, never markup. */
leakage.make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

/** Load a script of the folder once. */
leakage.load = (() => {
  const begun = {};
  return (file) => (begun[file] ??= new Promise((done, failed) => {
    const script = leakage.make("script", { src: `../${file}` });
    script.onload = done;
    script.onerror = () => failed(new Error(`${file} cannot be read; is the folder whole?`));
    document.head.append(script);
  }));
})();

/** What a script of the folder hands over packed, as base64 of deflated JSON: read once, when asked for. */
leakage.unpacked = (() => {
  const begun = {};
  return (kind, { name, file }) => (begun[file] ??= (async () => {
    await leakage.load(file);
    const bytes = Uint8Array.from(atob(leakage[kind][name]), (one) => one.charCodeAt(0));
    delete leakage[kind][name];
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  })());
})();

/** A colour of the style sheet as it is now, light or dark. */
leakage.colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** What both plots have in common. */
leakage.layout = () => ({
  paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
  font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: leakage.colour("ink") },
  margin: { l: 64, r: 16, t: 32, b: 48 },
  // at the foot: at the top the buttons would lie on it
  legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0, font: { size: 12 } },
  modebar: { bgcolor: "rgba(0,0,0,0)", color: leakage.colour("dim"), activecolor: leakage.colour("accent") },
});

leakage.axis = (title, more = {}) => ({
  title: { text: title, font: { size: 13 } }, gridcolor: leakage.colour("rule"), zeroline: false,
  linecolor: leakage.colour("rule"), automargin: true, ...more,
});

// named one by one: some of the usual buttons would send the data elsewhere
leakage.options = {
  responsive: true, displaylogo: false,
  modeBarButtons: [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]],
};

/** Draw now, and again when the reader's machine turns dark or light, or the page goes to paper. */
leakage.whenColoursChange = (draw) => {
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  for (const [event, paper] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(event, () => { document.documentElement.classList.toggle("paper", paper); draw(); });
  }
};
