// Loss and learning rate over the steps of training.
"use strict";
(() => {
  const place = document.getElementById("training-plot");
  if (!place) return;
  const { log } = leakage.cells[document.body.dataset.cell];
  const line = (name, y, colour, more) => ({
    type: "scatter", mode: "lines", name, x: log.step, y, hovertemplate: "%{y:.3g}", line: { color: colour, width: 1.6 },
    ...more,
  });
  const draw = () => {
    const rate = leakage.colour("source");
    const traces = [
      line("loss", log.loss, leakage.colour("mark"), {}),
      line("learning rate", log.learning_rate, rate, { yaxis: "y2", line: { color: rate, width: 1.6, dash: "dot" } }),
    ];
    Plotly.react(place, traces, {
      ...leakage.layout(), hovermode: "x unified", margin: { l: 64, r: 72, t: 32, b: 48 },
      hoverlabel: { bgcolor: leakage.colour("paper"), bordercolor: leakage.colour("rule") },
      xaxis: leakage.axis("step"), yaxis: leakage.axis("loss", { rangemode: "tozero" }),
      yaxis2: leakage.axis("learning rate", {
        overlaying: "y", side: "right", showgrid: false, rangemode: "tozero",
        tickformat: ".1~e", tickmode: "auto", nticks: 5,
      }),
    }, leakage.options);
  };
  // below the first screen: whoever opens the page waits for the scatter alone
  const watching = new IntersectionObserver((seen) => {
    if (seen.some((one) => one.isIntersecting)) begin();
  }, { rootMargin: "400px" });
  const begin = () => {
    watching.disconnect();
    removeEventListener("beforeprint", begin);
    leakage.whenColoursChange(draw);
  };
  watching.observe(place);
  addEventListener("beforeprint", begin);
})();
