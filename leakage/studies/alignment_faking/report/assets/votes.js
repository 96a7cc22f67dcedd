// The votes on a transcript, one by one.
"use strict";
leakage.showVotes = (votes, { words, threshold }) => {
  const { make } = leakage;
  const UNREADABLE = "unreadable";

  const word = ({ kind, value, label }) => {
    if (kind === "motive") return label ? label.replaceAll("_", " ") : UNREADABLE;
    if (value === null) return UNREADABLE;
    if (kind !== "compliance") return value ? "yes" : "no";
    return `${value > 0 ? "complies" : "refuses"}, score ${Number(value.toFixed(3))}`;
  };
  const look = ({ kind, value, label }) => {
    if (kind === "motive" ? !label : value === null) return "none";
    return value > 0 ? "leak" : "other";
  };

  /** A judge's own words; a reply may hold anything in the place of a quote. */
  const quoted = (quote) => (typeof quote === "string" && quote ? [" ", make("q", {}, quote)] : []);

  const criterion = (name, asked, told) => {
    const met = told?.met;
    const sign = met === true ? "✓" : met === false ? "✗" : "?";
    const said = met === true ? "met" : met === false ? "not met" : UNREADABLE;
    return make("li", { class: met === true ? "met" : "unmet" },
      make("span", { role: "img", "aria-label": said, title: said }, sign), " ",
      make("b", {}, name), `: ${asked}`, ...quoted(told?.quote));
  };

  const criteria = ({ kind, detail }) => {
    const asked = Object.entries(words.criteria[kind] ?? {});
    if (!asked.length || !Object.keys(detail).length) return [];
    return [make("ul", {}, ...asked.map(([name, what]) => criterion(name, what, detail[name])))];
  };

  const item = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  const items = ({ kind, detail }) => {
    const named = kind === "compliance" ? words.items : kind === "motive" ? ["quote"] : ["answer"];
    const told = named.filter((name) => detail[name] !== undefined && detail[name] !== "");
    const name = (one) => (one === "answer" ? "its answer as a whole" : one);
    return told.length ? [make("p", { class: "items" }, told.map((one) => `${name(one)}: ${item(detail[one])}`).join("; "))] : [];
  };

  const vote = (one, alone) => make("article", { class: "vote" },
    make("h5", {}, alone ? "vote" : `vote ${one.vote + 1}`, " ",
      make("span", { class: `verdict ${look(one)}` }, word(one))),
    ...criteria(one), ...items(one),
    ...(one.raw ? [make("details", {}, make("summary", {}, "raw reply"), make("pre", { tabindex: "0" }, one.raw))] : []));

  /** What the votes of a kind come to, in a line. */
  const sum = (kind, all) => {
    if (kind !== "reasoning" || !all.length) return [];
    const read = all.filter((one) => one.value !== null);
    const yes = read.filter((one) => one.value > 0).length;
    const lost = all.length - read.length;
    const share = read.length ? ` (${(yes / read.length).toFixed(2)}, faking from ${threshold})` : "";
    const met = Object.keys(words.criteria.reasoning).map((name) => (
      `${name} ${read.filter((one) => one.detail[name]?.met === true).length}`));
    const counts = read.some((one) => Object.keys(one.detail).length) ? [make("br"), `criteria met: ${met.join(", ")}`] : [];
    return [make("p", {}, make("b", {}, `${yes} of ${read.length} yes`), share,
      ...(lost ? [`; ${lost} unreadable`] : []), ...counts)];
  };

  const group = ([kind, title]) => {
    const all = votes.filter((one) => one.kind === kind);
    if (!all.length) return [];
    return [make("section", { "data-kind": kind }, make("h4", {}, title), ...sum(kind, all),
      ...all.map((one) => vote(one, all.length === 1)))];
  };

  const judges = [...new Set(votes.map((one) => one.judge_model).filter(Boolean))];
  return [
    make("h4", { class: "what" }, votes.length === 1 ? "1 vote" : `${votes.length} votes`,
      ...(judges.length ? [` by ${judges.join(", ")}`] : [])),
    ...(votes.length ? Object.entries(words.kinds).flatMap(group)
      : [make("p", { class: "absent" }, "None: what is missing is not judged.")]),
  ];
};
