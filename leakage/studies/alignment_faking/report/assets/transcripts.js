// The table of transcripts, and the one a reader has chosen with its votes. The chosen one stands in the address.
"use strict";
(() => {
  const { make } = leakage;
  const name = document.body.dataset.trial;
  const packed = (kind) => leakage.unpacked(kind, { name, file: `${kind}/${name}.js` });
  const table = document.getElementById("transcripts");
  const form = document.querySelector("[data-filters=transcripts]");
  const panel = document.getElementById("transcript");
  const title = document.getElementById("transcript-title");
  const part = (of) => panel.querySelector(`[data-${of}]`);
  const LONG = 140; // characters of a query in the table
  let told;
  let before = ""; // the transcript that was open last

  const address = ({ tier, prompt }) => `${encodeURIComponent(tier)}/${prompt}`;
  const called = ({ tier, prompt }) => `${tier}, query ${prompt + 1}`;
  const outcome = (row) => row.outcome || (row.missing ? "missing" : "no class");
  const mark = (row) => (row.outcome ? row.outcome.replaceAll(" ", "-").toLowerCase() : "missing");
  const yesNo = (value) => (value === null ? "–" : value ? "yes" : "no");
  const complied = ({ comply, score }) => (score > 0 && score < 1 ? `${yesNo(comply)}, ${Number(score.toFixed(3))}` : yesNo(comply));
  const votes = ({ votes: many, yes }) => (many ? `${yes} of ${many}` : "–");
  const badge = (row) => make("span", { class: `outcome ${mark(row)}` }, outcome(row), ...(row.missing ? [`: ${row.missing}`] : []));

  // the table

  const number = (value, text) => make("td", { class: "number", "data-value": value ?? "" }, text);
  const short = (text) => (text.length > LONG ? `${text.slice(0, LONG)}…` : text);
  const line = (row) => {
    const text = [row.query, row.scratchpad, row.output].join("\n");
    const link = make("a", { href: `#${address(row)}`, "data-row": "", "aria-label": called(row) }, `${row.prompt + 1}`);
    return make("tr", { "data-tier": row.tier, "data-outcome": outcome(row), "data-text": text },
      make("th", { scope: "row", "data-value": row.prompt }, link, ` ${short(row.query)}`),
      make("td", {}, row.tier), make("td", {}, row.tag || "–"),
      number(row.score, complied(row)), number(row.votes ? row.yes / row.votes : null, votes(row)),
      make("td", {}, yesNo(row.partial)), make("td", {}, row.motive.replaceAll("_", " ") || "–"),
      make("td", {}, badge(row)));
  };
  const lines = () => [...table.tBodies[0].rows];
  const linked = (row) => lines().find((one) => one.querySelector("a").hash === `#${address(row)}`);

  // one transcript

  const fact = (what, value) => make("div", {}, make("dt", {}, what), make("dd", {}, value));
  const others = (row) => told.rows.filter((one) => one.prompt === row.prompt && one.tier !== row.tier);
  const about = (row) => [
    make("dl", { class: "facts" }, fact("outcome", badge(row)), fact("complied", complied(row)), fact("AF votes", votes(row)),
      fact("partial", yesNo(row.partial)), fact("motive", row.motive.replaceAll("_", " ") || "–"), fact("tag", row.tag || "–"),
      fact("finish", row.finish), fact("tokens", String(row.tokens)), fact("answered by", row.answered_by || "–"), ...(row.note ? [fact("the provider’s words", row.note)] : [])),
    make("p", {}, "The same query elsewhere: ", ...others(row).flatMap((one) => [
      make("a", { href: `#${address(one)}` }, one.tier), ` (${outcome(one)}) `])),
  ];
  const block = (head, text, kind) => [make("h4", {}, head), text
    ? make("pre", { class: `words ${kind}`, tabindex: "0" }, text) : make("p", { class: "absent" }, "nothing")];
  const texts = (row) => [
    ...block("Query", row.query, "query"), ...block("Scratchpad", row.scratchpad, "scratchpad"),
    ...block("Output", row.output, "output"),
    make("details", {}, make("summary", {}, "the whole reply as it came"), make("pre", { tabindex: "0" }, row.reply)),
  ];

  const show = async (row) => {
    title.textContent = called(row);
    part("about").replaceChildren(...about(row));
    part("text").replaceChildren(...texts(row));
    part("votes").replaceChildren(make("p", {}, "reading …"));
    reveal();
    const all = await packed("votes");
    if (row !== chosen()) return; // another was chosen meanwhile
    part("votes").replaceChildren(...leakage.showVotes(all[`${row.tier}/${row.prompt}`] ?? [], told));
  };
  const lost = (text) => {
    title.textContent = "This transcript is not here";
    part("about").replaceChildren(make("p", { class: "absent" }, text));
    for (const one of ["text", "votes"]) part(one).replaceChildren();
    reveal();
  };
  const reveal = () => {
    panel.hidden = false;
    panel.scrollIntoView({ block: "start" });
    title.focus({ preventScroll: true });
  };

  const chosen = () => told?.rows.find((row) => address(row) === location.hash.slice(1));
  const open = async () => {
    const row = chosen();
    for (const one of lines()) one.classList.toggle("chosen", one.querySelector("a").hash === location.hash && Boolean(row));
    panel.hidden = true;
    before = row ?? before;
    if (row) await show(row).catch((error) => part("votes").replaceChildren(make("p", { class: "absent" }, error.message)));
    else if (/^#[^/]+\/\d+$/.test(location.hash)) lost(told.limit || "No transcript has this address.");
  };

  /** To the one before or after in the table as it is sorted and filtered. */
  const step = (by) => {
    const seen = lines().filter((one) => !one.hidden);
    const row = chosen();
    const next = seen[seen.indexOf(row && linked(row)) + by];
    if (next) location.hash = next.querySelector("a").hash;
  };

  panel.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && "jump" in button.dataset) part("votes").scrollIntoView({ block: "start" });
    if (button?.dataset.step) step(Number(button.dataset.step));
    if (!button || !("close" in button.dataset)) return;
    location.hash = "said";
    if (before) linked(before)?.querySelector("a").focus();
  });
  table.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr");
    if (row && !event.target.closest("a") && !String(getSelection())) location.hash = row.querySelector("a").hash;
  });
  addEventListener("hashchange", open);

  const begin = async () => {
    told = await packed("transcripts");
    table.tBodies[0].append(...told.rows.map(line));
    form.dispatchEvent(new Event("input")); // a filter that the browser has filled in again
    document.querySelector("[data-limit]").textContent = told.limit;
    document.querySelector("[data-limit]").hidden = !told.limit;
    await open();
  };
  begin().catch((error) => {
    table.tBodies[0].append(make("tr", {}, make("td", { class: "absent", colspan: "8" }, error.message)));
  });
})();
