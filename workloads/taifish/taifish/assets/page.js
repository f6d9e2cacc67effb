const form = document.querySelector("#upload");
const status = document.querySelector("#status");
const table = document.querySelector("#tasks");
let busy = false;

async function refresh() {
  if (busy || document.hidden) return;
  busy = true;
  try {
    const answer = await fetch("/?part=tasks");
    if (answer.ok) table.innerHTML = await answer.text();
  } catch {
    status.textContent = "the server cannot be reached";
  } finally {
    busy = false;
  }
}

async function send(url, options) {
  const answer = await fetch(url, { method: "POST", ...options });
  const body = await answer.json().catch(() => ({}));
  status.textContent = answer.ok ? `accepted ${body.id}` : (body.error ?? `error ${answer.status}`);
  await refresh();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const file = form.elements.file.files[0];
  if (file) send(`/api/uploads?name=${encodeURIComponent(file.name)}`, { body: file });
});

table.addEventListener("click", (event) => {
  const upload = event.target.dataset?.export;
  if (!upload) return;
  const headers = { "Content-Type": "application/json" };
  send("/api/exports", { headers, body: JSON.stringify({ upload, format: event.target.dataset.format }) });
});

setInterval(refresh, 2000);
