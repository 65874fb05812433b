// Scores a comment without a page load. Without this file the form is posted and the whole page reloads.
const form = document.getElementById("try");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const result = document.getElementById("result");
  button.disabled = true;
  button.textContent = "Scoring…";
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    result.replaceChildren(...page.getElementById("result").childNodes);
  } catch {
    result.replaceChildren(document.getElementById("unreachable").content.cloneNode(true));
  }
  button.disabled = false;
  button.textContent = "Score";
  result.focus({ preventScroll: true });
  result.scrollIntoView({ block: "nearest" });
});

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
