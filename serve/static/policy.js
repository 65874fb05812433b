// Sliders beside the numbers of the policy form, and the effect of each number while it changes.
const form = document.getElementById("policy-form");

if (form) {
  const number = (text) => Number(text.replace(",", "."));
  const never = (text) => text.trim() === "";
  let timer = 0;
  let asked = null;

  function draw(field) {
    const at = never(field.value) ? 200 : number(field.value) * 100;
    const line = form.querySelector(`[data-line="${field.name}"]`);
    if (Number.isFinite(at)) ["x1", "x2"].forEach((end) => line.setAttribute(end, at));
  }

  async function show() {
    asked?.abort();
    asked = new AbortController();
    const fields = [...new FormData(form)].filter(([name]) => /^(hold|reject|on)\.|^(site|automatic_rejection)$/.test(name));
    try {
      const answer = await fetch(`/console/policy/effects?${new URLSearchParams(fields)}`, { signal: asked.signal, headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const effects = await answer.json();
      form.querySelectorAll("[data-effect]").forEach((place) => {
        const words = effects[place.dataset.effect] ?? "";
        if (place.textContent !== words) place.textContent = words;
      });
    } catch { /* the next change asks again */ }
  }

  const later = () => { clearTimeout(timer); timer = setTimeout(show, 200); };

  form.querySelectorAll(".slider").forEach((slider) => {
    const field = document.getElementById(slider.dataset.for);
    const follow = () => {
      slider.value = never(field.value) ? 1 : number(field.value);
      slider.setAttribute("aria-valuetext", never(field.value) ? "never" : field.value);
      draw(field);
    };
    follow();
    // The last position of a slider means never: no score is above it.
    slider.addEventListener("input", () => {
      field.value = slider.value === slider.max ? "" : slider.value;
      slider.setAttribute("aria-valuetext", field.value || "never");
      draw(field);
      later();
    });
    field.addEventListener("input", () => { follow(); later(); });
  });
  form.addEventListener("change", (event) => { if (event.target.type === "checkbox") later(); });
}
