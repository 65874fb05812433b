// Toasts, undo and reasons. Without this file each button submits a form, and the next page shows the toast.
const Acts = (() => {
  const toast = document.getElementById("toast");
  const SHOWN_MS = 15000;
  const KEY_MS = 5000; // a reason's key counts for so long after d
  let armed = 0;
  let sent = Promise.resolve(null); // the answer to the last rejection
  let timer = 0;

  async function post(address, fields, tell = (words) => show({ words })) {
    try {
      const answer = await fetch(address, { method: "POST", body: fields, headers: { Accept: "application/json" } });
      const body = await answer.json();
      if (answer.ok) return body;
      tell(body.detail ?? "The service refused the request.");
    } catch {
      tell("The service did not answer. Nothing was changed. Check your connection and try again.");
    }
    return null;
  }

  function hideLater() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (toast.matches(":hover") || toast.contains(document.activeElement)) hideLater();
      else toast.hidden = true;
    }, SHOWN_MS);
  }

  function show({ words, act = null, decision = null }) {
    toast.hidden = false;
    toast.querySelector(".said").textContent = words;
    const undo = toast.querySelector(".undo");
    undo.hidden = !act;
    undo.elements.act.value = act ?? "";
    const correct = toast.querySelector(".correct");
    correct.hidden = !decision;
    correct.open = false;
    correct.querySelector("[name=decision]").value = decision ?? "";
    hideLater();
  }

  // A decided card keeps one line, and a button that undoes exactly its decision. A comment may also be on the page as
  // a part of a conversation.
  function settle(card, words, undoing) {
    const shown = document.querySelectorAll(`[data-comment="${card.dataset.comment}"]:not(.many, .own)`);
    new Set([card, ...shown]).forEach((one) => close(one, words, undoing));
  }

  function close(card, words, undoing) {
    card.classList.add("done");
    card.querySelectorAll("button, select, input, summary, a").forEach((part) => { part.tabIndex = -1; });
    const button = document.createElement("button");
    button.className = "plain";
    button.textContent = "Undo";
    button.addEventListener("click", () => undo(undoing));
    card.querySelector(".outcome").replaceChildren(`${words} `, button);
  }

  function reopen(restored) {
    const cards = Object.entries(restored).flatMap(([comment, decision]) => {
      const shown = [...document.querySelectorAll(`:is(.card, .done)[data-comment="${comment}"]`)];
      shown.filter((card) => card.matches(".done")).forEach((card) => {
        card.classList.remove("done");
        card.querySelector(".outcome").replaceChildren();
        card.querySelector("[name=after]").value = decision;
        card.querySelectorAll("[tabindex='-1']").forEach((part) => { if (!part.matches(".card, .reply, .comment")) part.removeAttribute("tabindex"); });
      });
      return shown;
    });
    return cards.find((card) => card.checkVisibility()) ?? null;
  }

  async function undo(what = {}) {
    armed = 0;
    const answer = await post("/console/undo", new URLSearchParams(what));
    if (!answer) return;
    show({ words: answer.words });
    if ("author" in answer) showAuthor(answer);
    const card = reopen(answer.restored);
    document.dispatchEvent(new CustomEvent("undone", { detail: card }));
  }

  // Called with the promise of a decision's answer, right after its key or click.
  function expect(answer, action) {
    armed = action === "reject" ? Date.now() + KEY_MS : 0;
    sent = answer;
  }

  async function correct(code) {
    const rejected = await sent;
    const decision = rejected?.decision ?? toast.querySelector("[name=decision]").value;
    if (!decision) return;
    const fields = { decision, code, default_code: "" };
    const answer = await post("/console/reason", new URLSearchParams(fields));
    if (!answer) return;
    sent = Promise.resolve(answer);
    show(answer);
    const card = document.getElementById(`c${answer.comment}`) ?? document.getElementById(`r${answer.comment}`);
    if (card?.classList.contains("done")) settle(card, answer.words.replace("Comment r", "R"), { act: answer.act });
  }

  function openForm(card, name) {
    const details = card?.querySelector(name);
    if (!details) return;
    details.open = !details.open;
    (details.open ? details.querySelector("select, input:not([type=hidden])") : card).focus();
  }

  function showAuthor({ author, standing, notes }) {
    document.querySelectorAll(`.standing[data-author="${author}"]`).forEach((tag) => {
      tag.textContent = standing;
      tag.hidden = !standing;
    });
    document.querySelectorAll(`.author-notes[data-author="${author}"]`).forEach((place) => { place.innerHTML = notes; });
  }

  // The forms of a card that act on the author, or pass the comment on.
  async function sendForm(form) {
    const answer = await post(form.getAttribute("action"), new URLSearchParams(new FormData(form)));
    if (!answer) return;
    show(answer);
    form.reset();
    form.closest("details").open = false;
    const card = form.closest(".card");
    if ("author" in answer) showAuthor(answer);
    else settle(card, answer.words, { act: answer.act });
    document.dispatchEvent(new CustomEvent("undone", { detail: "author" in answer ? card : null }));
  }

  const codeOf = (key) => toast.querySelector(`[data-key="${CSS.escape(key)}"]`)?.value;

  // True if a key chose the reason of the rejection just before.
  function reasonKey(key) {
    const code = Date.now() < armed ? codeOf(key) : null;
    armed = 0;
    if (code) correct(code);
    return Boolean(code);
  }

  if (toast) {
    if (!toast.hidden) hideLater();
    toast.addEventListener("submit", (event) => {
      if (!document.getElementById("cards")) return; // the page has to be loaded again to show the change
      event.preventDefault();
      if (event.target.matches(".undo")) undo({ act: event.target.elements.act.value });
      else correct(event.submitter.value);
    });
    document.getElementById("cards")?.addEventListener("submit", (event) => {
      if (!event.target.matches(".author-menu form, .escalate form")) return;
      event.preventDefault();
      sendForm(event.target);
    });
    // In a list of reasons the key of a reason chooses it.
    document.addEventListener("keydown", (event) => {
      const code = event.target.matches("select[name=code]") && !event.ctrlKey && !event.metaKey && !event.altKey && codeOf(event.key);
      if (!code) return;
      event.preventDefault();
      event.target.value = code;
      event.target.dispatchEvent(new Event("change", { bubbles: true }));
      if (event.target.dataset.asked) event.target.form.requestSubmit(event.target.form.querySelector("[value=reject]"));
    });
  }
  return { post, show, settle, undo, expect, reasonKey, openForm };
})();
