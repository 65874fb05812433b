// What the queue shows while it is open: numbers, the words of an empty queue, late copies, conversations.
const queue = globalThis.queue;

if (queue) {
  const { cards, KEYS, open, focused, focus, say } = queue;
  const empty = document.getElementById("empty");
  let asking = false;
  let again = false;

  async function page(address) {
    try {
      const answer = await fetch(address);
      if (answer.ok) return await answer.text();
    } catch { /* the next event asks again */ }
    return null;
  }

  async function refresh() {
    if (asking) { again = true; return; }
    asking = true;
    const query = new URLSearchParams(cards.dataset.query);
    open().forEach((card) => { if (card.dataset.campaign) query.append("campaign", card.dataset.campaign); });
    const text = await page(`/console/state?${query}`);
    if (text) show(JSON.parse(text));
    asking = false;
    if (again) { again = false; refresh(); }
  }

  function show(state) {
    document.getElementById("waiting").textContent = state.waiting.toLocaleString("en");
    document.title = `Queue (${state.waiting}) · belowline`;
    if (!cards.dataset.paused && empty.innerHTML !== state.empty) empty.innerHTML = state.empty;
    open().forEach((card) => {
      const more = (state.copies[card.dataset.campaign] ?? 0) - Number(card.dataset.copies);
      if (more > 0 && !card.querySelector(".relabel[open]")) join(card, more);
    });
  }

  // Copies that arrive while their campaign's card is open become a part of it.
  async function join(card, more) {
    const text = await page(`/console/cards?campaign=${card.dataset.campaign}`);
    if (!text?.trim() || !card.isConnected || card.classList.contains("done")) return;
    const was = document.activeElement === card;
    const code = card.querySelector("[name=code]")?.value;
    card.insertAdjacentHTML("afterend", text);
    const renewed = card.nextElementSibling;
    card.remove();
    const told = renewed.querySelector(".arrived");
    if (told) told.textContent = `${more} more arrived and ${more === 1 ? "is" : "are"} included`;
    const chosen = renewed.querySelector("[name=code]");
    if (code && chosen && Number(card.dataset.copies) > 1) chosen.value = code;
    if (was) focus(renewed);
  }

  cards.addEventListener("decided", async (event) => {
    refresh();
    const card = event.target;
    if (!event.detail.arrived) return;
    const text = await page(`/console/cards?campaign=${card.dataset.campaign}`);
    if (!text?.trim()) return;
    card.insertAdjacentHTML("afterend", text);
    say(`${event.detail.arrived} more arrived meanwhile. Decide them too.`);
    focus(card.nextElementSibling);
  });
  cards.addEventListener("changed", refresh);
  setInterval(() => { if (!empty.hidden) refresh(); }, 20_000); // leases of others end without an event

  async function talk(card) {
    const place = card?.querySelector(":scope > .conversation");
    const link = card?.querySelector(".talk");
    if (!place || !link) { say("This comment has no thread and answers nothing."); return; }
    if (place.hidden && !place.childElementCount) {
      const text = await page(`${link.getAttribute("href")}?part=true`);
      if (text === null) { say("The conversation could not be loaded. Press t to try again."); return; }
      place.innerHTML = text;
    }
    place.hidden = !place.hidden;
    if (!place.hidden) focus(place.querySelector(".own") ?? place.firstElementChild);
    else focus(card);
  }

  KEYS.t = () => talk(focused()?.closest(".card"));
  cards.addEventListener("click", (event) => {
    const link = event.target.closest(".talk");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    talk(link.closest(".card"));
  });
}
