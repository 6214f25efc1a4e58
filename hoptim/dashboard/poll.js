// Asking the server for news, again and again while the page is in sight.

const EVERY = 2000; // milliseconds

if (location.search) history.replaceState(history.state, "", location.pathname); // a cookie has the token now

async function answerTo(address) {
  try {
    const answer = await fetch(address);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

async function poll(address, take) {
  const status = document.getElementById("live");
  let last = new Date();
  for (;;) {
    const news = document.hidden ? undefined : await answerTo(address);
    if (news) {
      last = new Date();
      take(news);
    }
    const text =
      news === null
        ? `No answer since ${last.toLocaleTimeString()}. Has the dashboard ended? Started again, it has another address.`
        : "Live";
    if (status.textContent !== text) status.textContent = text; // else a screen reader would repeat it
    status.classList.toggle("lost", news === null);
    await new Promise((wake) => setTimeout(wake, EVERY));
  }
}
