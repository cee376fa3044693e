// Keeps an open page current without taking the reader's place or focus away.
setInterval(async () => {
  const old = document.querySelector("main[data-live]");
  if (!old || document.hidden || old.contains(document.activeElement)) return;
  try {
    const answer = await fetch(location.pathname);
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = next.querySelector("main[data-live]");
    if (!main) return;
    const said = old.querySelector("h1").textContent;
    const says = main.querySelector("h1").textContent;
    old.replaceWith(main);
    document.title = next.title;
    if (said !== says) document.getElementById("said").textContent = says;
  } catch { /* the next minute tries again */ }
}, 60000);
