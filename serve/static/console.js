// Keyboard control of the queue. Without this file each button submits a form and reloads the page.
const cards = document.getElementById("cards");
document.documentElement.classList.add("js");

if (cards) {
  const trouble = document.getElementById("trouble");
  const bulk = document.getElementById("bulk");
  let loading = false;
  let exhausted = false;

  const open = () => [...cards.querySelectorAll(".card:not(.done)")];
  const focused = () => document.activeElement?.closest?.(".card, .reply") ?? open()[0];
  const focus = (card) => { card?.focus({ preventScroll: true }); card?.scrollIntoView({ block: "nearest" }); };
  const picked = () => [...cards.querySelectorAll(".card:not(.done) .pick input:checked")];
  const say = (text) => { trouble.textContent = text; trouble.hidden = !text; };

  const send = (action, fields) => { say(""); return Acts.post(action, fields, say); };

  function step(from, by) {
    const all = [...cards.querySelectorAll(".card, .reply")];
    for (let at = all.indexOf(from) + by; at >= 0 && at < all.length; at += by) {
      if (!all[at].closest(".done, [hidden]")) return all[at];
    }
    return null;
  }

  const WORDS = { publish: "Published", reject: "Rejected", hold: "Left for others" };

  async function decide(card, action) {
    if (!card || card.classList.contains("done") || card.dataset.busy) return;
    const form = card.querySelector(".decide");
    if (!form || !offers(form, action) || asksForReason(form, action)) return;
    card.dataset.busy = "1";
    const fields = new URLSearchParams(new FormData(form));
    fields.set("action", action);
    const sent = send(form.getAttribute("action"), fields);
    Acts.expect(sent, action);
    const answer = await sent;
    delete card.dataset.busy;
    if (!answer) { focus(card); return; }
    const next = step(card, 1) ?? step(card, -1);
    Acts.settle(card, `${WORDS[action]}${answer.decided ? ` ${answer.decided}` : ""}`, { act: answer.act });
    Acts.show(answer);
    focus(next);
    card.dispatchEvent(new CustomEvent("decided", { bubbles: true, detail: answer }));
    if (open().length < 4) more();
    if (!next) document.getElementById("empty").hidden = open().length > 0;
  }

  // A comment of a conversation may be published already, and only a single comment that waits can be left for others.
  function offers(form, action) {
    const offered = form.querySelector(`[name=action][value=${action}]`);
    if (!offered) say(action === "hold" ? "Only a single comment that waits can be left for others. Press j for the next one." : `This comment is ${WORDS[action].toLowerCase()} already.`);
    return Boolean(offered);
  }

  // A campaign's card preselects no reason. Its first rejection asks for one, its second decides.
  function asksForReason(form, action) {
    const code = form.elements.code;
    if (action !== "reject" || !code?.required || code.value) return false;
    code.dataset.asked = "1";
    code.focus();
    say("Choose the reason for all copies: press its key (1–9, m or 0), or choose it and press Reject.");
    return true;
  }

  async function decideAll(action) {
    if (action === "reject" && !bulk.elements.code.value) {
      bulk.elements.code.dataset.asked = "1";
      bulk.elements.code.focus();
      say("Choose the reason for the selected comments: press its key (1–9, m or 0), or choose it and press Reject.");
      return;
    }
    const chosen = picked();
    const fields = new URLSearchParams(new FormData(bulk));
    fields.set("action", action);
    fields.delete("comments");
    chosen.forEach((box) => fields.append("comments", box.value));
    const answer = await send("/console/bulk", fields);
    if (!answer) return;
    chosen.filter((box) => answer.made[box.value]).forEach((box) => {
      box.checked = false;
      const words = answer.decided > 1 ? `${WORDS[action]} with ${answer.decided - 1} more` : WORDS[action];
      Acts.settle(box.closest(".card"), words, { decision: answer.made[box.value] });
    });
    bulk.elements.code.value = ""; // each selection needs its own reason
    delete bulk.elements.code.dataset.asked;
    Acts.show(answer);
    if (answer.skipped) say(`${answer.skipped} comments were skipped: other moderators have claimed them.`);
    show();
    focus(open()[0]);
    more();
  }

  // An undo while the cards were on their way can have brought a comment back: it keeps one card.
  function append(text) {
    const page = document.createRange().createContextualFragment(text);
    page.querySelectorAll(".card").forEach((card) => {
      const shown = document.getElementById(card.id);
      if (shown?.matches(".done")) shown.replaceWith(card);
      else if (shown) card.remove();
    });
    cards.append(page);
  }

  async function more(byHand = false) {
    if (cards.dataset.paused && byHand) location.assign(`/console?${cards.dataset.query}`);
    if (loading || cards.dataset.paused || (exhausted && !byHand)) return;
    loading = true;
    const note = document.getElementById("new");
    note.textContent = "loading…";
    const query = new URLSearchParams(cards.dataset.query);
    open().forEach((card) => { if (card.dataset.item) query.append("have", card.dataset.item); });
    try {
      const answer = await fetch(`/console/cards?${query}`);
      if (answer.ok) {
        const text = await answer.text();
        exhausted = !text.trim();
        append(text);
      }
    } catch { say("The next comments could not be loaded. Press n to try again."); }
    loading = false;
    note.textContent = "";
    document.getElementById("empty").hidden = open().length > 0;
    if (!open().length) cards.dispatchEvent(new Event("changed"));
    if (!document.activeElement?.closest?.(".card:not(.done)")) focus(open()[0]);
  }

  function show() {
    const count = picked().length;
    if (!bulk) return;
    bulk.classList.toggle("on", count > 0);
    document.getElementById("selected").textContent = `${count} selected:`;
  }

  function relabel(card, key) {
    const details = card?.querySelector(".relabel");
    if (key === "l" && details) { details.open = !details.open; return true; }
    if (details?.open && /^[1-9]$/.test(key)) {
      const box = details.querySelectorAll("[name=labels]")[Number(key) - 1];
      if (box) box.checked = !box.checked;
      return true;
    }
    return false;
  }

  const help = document.getElementById("help");
  const press = (name) => document.querySelector(`.preferences [name=${name}]`).click();
  const toggle = (part) => { const details = focused()?.querySelector(part); if (details) details.open = !details.open; };
  const KEYS = {
    j: () => focus(step(focused(), 1) ?? focused()),
    k: () => focus(step(focused(), -1) ?? focused()),
    f: () => (picked().length ? decideAll("publish") : decide(focused(), "publish")),
    d: () => (picked().length ? decideAll("reject") : decide(focused(), "reject")),
    s: () => decide(focused(), "hold"),
    u: () => Acts.undo(),
    n: () => more(true),
    x: () => { const box = focused()?.querySelector(".pick input"); if (box && bulk) { box.checked = !box.checked; show(); } },
    a: () => Acts.openForm(focused(), ".author-menu"),
    e: () => Acts.openForm(focused(), ".escalate"),
    c: () => toggle(".copies"),
    m: () => toggle(".fold"),
    b: () => (cards.querySelector(".blurred") ? document.body.classList.toggle("show-text") : press("blur")),
    h: () => press("blind"),
    v: () => press("wide"),
    "?": () => help.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const handled = relabel(focused(), event.key) || Acts.reasonKey(event.key) || (KEYS[event.key] && (KEYS[event.key](), true));
    if (handled) event.preventDefault();
  });
  document.addEventListener("undone", (event) => {
    document.getElementById("empty").hidden = open().length > 0;
    if (event.detail) focus(event.detail);
  });
  cards.addEventListener("submit", (event) => {
    if (!event.target.matches(".decide")) return;
    event.preventDefault();
    decide(event.target.closest(".card, .reply"), event.submitter.value);
  });
  cards.addEventListener("change", (event) => { if (event.target.closest(".pick")) show(); });
  if (bulk) bulk.noValidate = true; // decideAll asks for the reason, by key and by mouse alike
  document.addEventListener("keydown", (event) => {
    if (event.target.name !== "code" || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    focus(event.target.closest(".card, .reply") ?? picked()[0]?.closest(".card"));
  });
  bulk?.addEventListener("submit", (event) => { event.preventDefault(); decideAll(event.submitter.value); });
  document.getElementById("ask").hidden = false;
  document.getElementById("ask").addEventListener("click", KEYS["?"]);
  focus(open()[0]);

  const site = new URLSearchParams(cards.dataset.query).get("site");
  const events = new EventSource(`/v1/events${site ? `?site=${encodeURIComponent(site)}` : ""}`);
  let newest = null;
  events.addEventListener("queue", (event) => {
    const state = JSON.parse(event.data);
    if (newest !== null && state.newest > newest) document.getElementById("new").textContent = "new comments – n to fetch";
    if (newest !== null && state.newest > newest) exhausted = false;
    newest = Math.max(newest ?? 0, state.newest);
    cards.dispatchEvent(new Event("changed"));
  });
  addEventListener("pagehide", () => events.close());
  globalThis.queue = { cards, KEYS, open, focused, focus, more, say };
}
