// A search looks through some of the records for each page: the rest is asked for here, until
// there are enough hits to look at, or no more records.

const ENOUGH = 40;
const MOST_PAGES = 200;

async function searchOn() {
  const hits = document.getElementById("hits");
  for (let page = 0; page < MOST_PAGES && hits !== null && hits.childElementCount < ENOUGH; page++) {
    const more = document.querySelector("#search-on a");
    if (more === null) break;
    const answer = await fetch(more.href, { headers: { accept: "text/html", "x-console-live": "1" } });
    if (!answer.ok) break;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = found.querySelectorAll("#hits > li");
    hits.append(...[...fresh].map((hit) => document.importNode(hit, true)));
    if (hits.childElementCount > 0) document.getElementById("no-hits")?.remove();
    const next = found.querySelector("#search-on a");
    if (next !== null) more.href = next.href;
    else document.getElementById("search-on").remove();
  }
  const none = document.getElementById("no-hits");
  if (none !== null && document.getElementById("search-on") === null) {
    none.textContent = none.dataset.text;
  }
}

searchOn();
