// What a persona said before and after, loaded when a reader asks for it. The chosen persona stands in the address.
"use strict";
(() => {
  const cell = leakage.cells[document.body.dataset.cell];
  const panel = document.getElementById("answers");
  const part = (name) => panel.querySelector(`[data-${name}]`);
  const form = panel.querySelector("form");
  const PAGE = 20; // questions at a time; some behaviors have hundreds
  const { make } = leakage;
  let questions = [];
  let shown = PAGE;

  leakage.chosen = () => new URLSearchParams(location.hash.slice(1)).get("persona");
  leakage.choose = (persona) => {
    if (persona === leakage.chosen()) return reveal();
    location.hash = new URLSearchParams({ persona });
  };

  /** Answers of one file, a list a column. */
  const answers = (kept) => leakage.unpacked("answers", kept);

  /** The persona's answers by question: Map from the question's text to {right, labels, answers}. */
  const ofPersona = (told, persona) => {
    const who = told.personas.indexOf(persona);
    const found = new Map();
    told.persona.forEach((one, i) => {
      if (one !== who) return;
      const place = told.prompt[i];
      const question = { text: told.prompts[place], right: told.right?.[place], labels: told.labels?.[place] };
      if (!found.has(place)) found.set(place, { ...question, answers: [] });
      const pick = (name) => told[name]?.[i];
      found.get(place).answers.push({
        text: told.text[i], score: told.score[i], hit: told.hit[i] === 1,
        coherence: pick("coherence"), reason: pick("reason"), cut: pick("cut"), p: pick("p_right"), logprobs: pick("logprobs"),
      });
    });
    return found;
  };

  const places = (before, after) => [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => a - b);
  const pair = (before, after) => places(before, after).map((place) => {
    const question = before.get(place) ?? after.get(place);
    return { ...question, before: before.get(place)?.answers ?? [], after: after.get(place)?.answers ?? [] };
  });

  /** How far a question's answers go: the share of hits, or the mean score where that is what counts. */
  const level = (all) => {
    const read = all.filter((one) => one.score !== null);
    return read.reduce((sum, one) => sum + (cell.verdicts ? 100 * one.hit : one.score), 0) / read.length;
  };
  const hasChanged = (question) => Math.abs(level(question.after) - level(question.before)) >= 1;

  const verdict = (one) => {
    if (one.score === null) return make("span", { class: "verdict none" }, "not readable");
    const word = cell.verdicts ? cell.verdicts[one.hit ? 0 : 1] : `score ${Math.round(one.score)}`;
    const label = make("span", { class: `verdict ${one.hit === cell.up ? "leak" : "other"}` }, word);
    // rules give only 0 and 100 where they count: the word has said it all
    const tells = cell.verdicts && one.p === undefined && one.score !== 0 && one.score !== 100;
    if (tells) label.append(`, score ${Math.round(one.score)}`);
    if (typeof one.coherence === "number") label.append(`, coherence ${one.coherence}`);
    return label;
  };

  /** Probability of each option, as the log-probabilities give it among the item's own. */
  const options = (one, { right, labels }) => {
    const most = Math.max(...one.logprobs);
    const weights = one.logprobs.map((logprob) => Math.exp(logprob - most));
    const sum = weights.reduce((a, b) => a + b);
    const names = labels?.length === weights.length ? labels : weights.map((_, i) => `option ${i + 1}`);
    return make("div", { class: "options" }, ...weights.map((weight, i) => {
      const share = make("span", { class: "share" });
      share.style.width = `${(100 * weight) / sum}%`;
      const name = `${names[i]}${names[i] === right ? " (right)" : ""}`;
      return make("div", {}, make("span", {}, name), make("span", { class: "track" }, share), (weight / sum).toFixed(2));
    }));
  };

  const said = (one, question) => (one.logprobs
    ? [make("p", {}, `chose ${one.text}; P(right) = ${one.p.toFixed(3)}`), options(one, question)]
    : [make("p", { class: "said" }, one.text || "(nothing)")]);

  const answer = (one, question) => make("li", {},
    verdict(one),
    ...said(one, question),
    ...(one.cut ? [make("small", {}, "cut off at the length limit")] : []),
    ...(one.reason ? [make("small", {}, `judge: ${one.reason}`)] : []));

  const side = (name, all, question, kept) => make("div", {},
    make("h5", {}, name),
    all.length ? make("ul", {}, ...all.map((one) => answer(one, question)))
      : make("p", { class: "absent" }, kept ? "no answer" : "Not part of this result."));

  const article = (question) => make("article", {},
    make("h4", {}, question.text),
    make("div", { class: "pair" },
      side("before", question.before, question, cell.before), side("after", question.after, question, cell.after)));

  const list = () => {
    const { text, changed } = Object.fromEntries(new FormData(form));
    const word = text.toLowerCase();
    const texts = ({ text: asked, before, after }) => [asked, ...[...before, ...after].map((one) => one.text)].join("\n");
    const fits = (question) => (!changed || hasChanged(question)) && texts(question).toLowerCase().includes(word);
    const fitting = questions.filter(fits);
    part("list").replaceChildren(...fitting.slice(0, shown).map(article));
    form.querySelector("output").textContent = `${fitting.length} of ${questions.length} questions`;
    part("more").hidden = fitting.length <= shown;
    part("more").textContent = `More (${fitting.length - shown} left)`;
  };

  const about = (one) => {
    const fact = (name, text) => make("div", {}, make("dt", {}, name), make("dd", {}, text));
    return [
      make("blockquote", {}, one.system || "(no system prompt is known)"),
      make("dl", { class: "facts" }, fact("before", one.before), fact("after", one.after), fact("change", one.delta_text),
        fact("cosine", one.cosine_text), ...(one.category ? [fact("category", one.category)] : [])),
      ...(cell.limit ? [make("p", { class: "note" }, cell.limit)] : []),
    ];
  };

  const read = async (persona) => {
    const sides = [cell.before, cell.after];
    const told = await Promise.all(sides.map((kept) => (kept ? answers(kept) : null)));
    const [before, after] = told.map((one) => (one ? ofPersona(one, persona) : new Map()));
    return pair(before, after);
  };

  const open = async (persona) => {
    const one = cell.points.find((row) => row.persona === persona);
    panel.hidden = !one;
    for (const button of document.querySelectorAll("[data-persona]")) {
      button.closest("tr").classList.toggle("chosen", button.dataset.persona === persona);
      button.setAttribute("aria-pressed", button.dataset.persona === persona);
    }
    leakage.drawScatter?.();
    if (!one) return;
    document.getElementById("answers-title").textContent = one.persona;
    part("about").replaceChildren(...about(one));
    form.hidden = !(cell.before || cell.after);
    if (form.hidden) {
      part("list").replaceChildren(make("p", { class: "absent" }, "The completions are not part of this result."));
      part("more").hidden = true;
      return reveal();
    }
    part("list").replaceChildren(make("p", {}, "reading …"));
    reveal();
    try {
      const found = await read(persona);
      if (persona !== leakage.chosen()) return; // another was chosen meanwhile
      [questions, shown] = [found, PAGE];
      list();
    } catch (error) {
      part("list").replaceChildren(make("p", { class: "absent" }, error.message));
    }
  };

  const reveal = () => {
    panel.scrollIntoView({ block: "start" });
    document.getElementById("answers-title").focus({ preventScroll: true });
  };

  part("close").addEventListener("click", () => {
    const button = document.querySelector("[data-persona][aria-pressed=true]");
    location.hash = "who";
    button?.focus();
  });
  part("more").addEventListener("click", () => { shown += PAGE; list(); });
  form.addEventListener("input", () => { shown = PAGE; list(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("personas").addEventListener("click", (event) => {
    const button = event.target.closest("[data-persona]");
    if (button) leakage.choose(button.dataset.persona);
  });
  addEventListener("hashchange", () => open(leakage.chosen()));
  addEventListener("load", () => { if (leakage.chosen()) open(leakage.chosen()); });
})();
