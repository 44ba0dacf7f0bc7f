// Keeps a page as it is on the server: told of a change, it fetches the page again and puts in
// what differs. Forms that carry `data-enhanced` are sent the same way, without a reload.
//
// <main data-live="/address"> is such a page, with `data-every="3"` it is fetched every so many
// seconds; `data-region` with an id is a part that is exchanged, and what it holds is kept where it
// is the same. `data-only="submit"`: only after something was sent from here. `data-holds`: a kept
// part that holds regions of its own, which alone are exchanged, so that what is being typed or
// has been opened in it stays. `data-events` and `data-gap`: another stream, and how many
// milliseconds lie between two fetches.

const main = document.getElementById("main");
const offline = document.getElementById("offline");
const GAP_MS = Number(main.dataset.gap ?? 700); // between two fetches: many changes are one
const EVENTS = main.dataset.events ?? "/console/events";
const html = new WeakMap(); // how each part looked when it came from the server

let fetching = false;
let missed = false; // something has changed since the last fetch began
let fetchedAt = 0;

function parsed(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

function keyed(region) {
  return region.firstElementChild !== null && region.firstElementChild.hasAttribute("data-key");
}

function remember(root) {
  for (const region of root.querySelectorAll("[data-region]")) {
    html.set(region, region.innerHTML);
    for (const part of region.querySelectorAll("[data-key]")) html.set(part, part.outerHTML);
  }
}

function exchangeParts(old, fresh) {
  const before = new Map([...old.children].map((part) => [part.dataset.key, part]));
  const wanted = new Set([...fresh.children].map((part) => part.dataset.key));
  for (const [key, part] of before) if (!wanted.has(key)) part.remove();
  let at = old.firstElementChild;
  for (const next of [...fresh.children]) {
    const source = next.outerHTML;
    let part = before.get(next.dataset.key);
    const holds = part !== undefined && "holds" in part.dataset;
    if (!holds && (part === undefined || html.get(part) !== source)) {
      const made = document.importNode(next, true);
      html.set(made, source);
      if (part !== undefined) {
        if (at === part) at = part.nextElementSibling;
        part.remove();
      }
      part = made;
    }
    if (part === at) at = at.nextElementSibling;
    else old.insertBefore(part, at);
  }
}

function exchange(old, fresh) {
  const source = fresh.innerHTML;
  if (html.get(old) === source) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  html.set(old, source);
  if (keyed(old) && keyed(fresh)) {
    exchangeParts(old, fresh);
  } else {
    old.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    for (const part of old.querySelectorAll("[data-key]")) html.set(part, part.outerHTML);
  }
  if (focused === null || document.contains(focused)) return;
  const again = focused.id ? document.getElementById(focused.id) : null;
  (again ?? main).focus({ preventScroll: true });
}

export function show(text, submitted) {
  const page = parsed(text);
  const there = page.getElementById("main");
  if (there === null || page.body.className !== document.body.className) return location.reload();
  if (there.dataset.state !== main.dataset.state) return location.replace(main.dataset.live);
  document.title = page.title;
  for (const fresh of page.querySelectorAll("[data-region]")) {
    const old = document.getElementById(fresh.id);
    if (old !== null && (submitted || old.dataset.only !== "submit")) exchange(old, fresh);
  }
}

function reached(works) {
  offline.textContent = works ? "" : offline.dataset.text;
  offline.classList.toggle("shown", !works);
}

async function ask(url, options = {}) {
  const headers = { accept: "text/html", "x-console-live": "1", ...options.headers };
  const answer = await fetch(url, { ...options, headers, credentials: "same-origin" });
  if (answer.status === 401) location.reload();
  return answer;
}

export async function refresh() {
  if (fetching || document.hidden) {
    missed = true;
    return;
  }
  fetching = true;
  try {
    const rest = fetchedAt + GAP_MS - Date.now();
    if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
    do {
      missed = false;
      fetchedAt = Date.now();
      const answer = await ask(main.dataset.live);
      if (answer.ok) show(await answer.text(), false);
      reached(answer.status < 500);
    } while (missed && !document.hidden);
  } catch {
    reached(false);
  } finally {
    fetching = false;
  }
}

async function submit(event) {
  const form = event.target;
  if (!form.matches("form[data-enhanced]")) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  try {
    const answer = await ask(form.action, { method: "POST", body: fields });
    show(await answer.text(), true);
    reached(true);
  } catch {
    reached(false);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
  document.dispatchEvent(new Event("submitted"));
}

let events = null;

// Only while somebody looks: a browser has six connections to a server, for all its tabs.
function listen() {
  if (events !== null || document.hidden) return;
  let opened = false;
  events = new EventSource(EVENTS);
  events.addEventListener("here", () => {
    reached(true);
    if (opened) refresh(); // whatever was missed meanwhile
    opened = true;
  });
  events.addEventListener("changed", refresh);
  events.addEventListener("error", () => {
    if (events?.readyState !== EventSource.CLOSED) return;
    stopListening();
    setTimeout(listen, 5000);
    refresh(); // shows the sign-in page when the session is over
  });
}

function stopListening() {
  events?.close();
  events = null;
}

remember(document);
document.addEventListener("submit", submit);
if (main.dataset.live !== undefined) {
  const every = Number(main.dataset.every ?? 0);
  if (every > 0) setInterval(refresh, every * 1000);
  else listen();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return stopListening();
    if (every === 0) listen();
    refresh();
  });
  addEventListener("pagehide", stopListening);
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}
