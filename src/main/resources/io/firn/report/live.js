// Asks for the page again now and then, and puts what is new into this one, which stays where it is scrolled to.
(() => {
  const every = 3000;
  const state = document.getElementById("state");
  const say = text => { state.textContent = text; };
  const part = (page, selector) => page.querySelector(selector);

  async function refresh() {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { cache: "no-store" });
        if (!answer.ok) throw new Error(answer.statusText);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        // A page without charts is the one that says that the run is being prepared.
        if (part(page, "#charts")) {
          const open = [...document.querySelectorAll("details")].map(d => d.open);
          part(document, "main").replaceChildren(...part(page, "main").childNodes);
          part(document, "nav").replaceChildren(...part(page, "nav").childNodes);
          part(document, "#charts").textContent = part(page, "#charts").textContent;
          document.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? d.open; });
          dispatchEvent(new Event("firn:changed"));
          say(`Training, live · ${new Date().toLocaleTimeString()}`);
        }
      } catch {
        say("Training has ended or does not answer; the run's folder has report.html");
      }
    }
    setTimeout(refresh, every);
  }
  setTimeout(refresh, every);
})();
