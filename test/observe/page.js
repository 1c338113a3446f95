// node page.js URL MARKUP: looks at the status page of a busy program for some seconds; prints what it saw as JSON.
"use strict";
const { launch, open, pause } = require("./browser.js");

const SECONDS = 8;
const WINDOWS = [
  { name: "desk, light", scheme: "light", width: 1200 },
  { name: "desk, dark", scheme: "dark", width: 1200 },
  { name: "tablet", width: 768 },
  { name: "phone", width: 390, height: 844 },
  { name: "small phone", scheme: "dark", width: 320, height: 568 },
  { name: "forced colours", forced: "active", width: 1200 },
];

const look = (page) => page.evaluate(() => ({
  qps: document.querySelector("#qps").textContent,
  chart: document.querySelector("#chart path:nth-of-type(3)").getAttribute("d"),
  accepted: document.querySelector("#answers").innerText,
}));

/* What a reader does: selects a name, reads the chart by keyboard, looks at an hour and the configuration, purges. */
async function use(page) {
  const used = {};
  await page.evaluate(() => getSelection().selectAllChildren(document.querySelector("#names .what")));
  used.selected = await page.evaluate(() => String(getSelection()));
  await pause(2500);
  used.stillSelected = await page.evaluate(() => String(getSelection()));
  await page.focus("#chart");
  await page.keyboard.press("ArrowLeft");
  used.note = await page.textContent("#chart-note");
  await page.keyboard.press("Escape");
  await page.check('#ranges input[value="1h"]', { force: true });
  await pause(1500);
  used.hour = await page.textContent("#chart-from");
  used.marks = await page.$$eval("#chart path.mark title", (nodes) => nodes.map((node) => node.textContent));
  await page.click("#config summary");
  await pause(500);
  used.config = await page.textContent("#config-text");
  await page.click("#purge summary");
  await page.fill("#purge-name", "www.example.com");
  await page.click("#purge-button");
  used.asked = await page.textContent("#purge-result");
  await page.click("#purge-button");
  await pause(500);
  used.purged = await page.textContent("#purge-result");
  await page.check('#ranges input[value="5m"]', { force: true });
  return used;
}

/* The list of single queries: as it is, by each filter, paused and not. */
async function queries(page) {
  const look = () => page.evaluate(() => {
    const rows = [...document.querySelectorAll("#queries tr")];
    const column = (i) => rows.map((row) => row.children[i].textContent);
    return {
      rows: rows.length, kinds: column(1), clients: column(2).map((text) => text.split(" ")[0]), names: column(3),
      results: column(5), none: document.querySelector("#queries-none").textContent,
      text: rows.map((row) => row.textContent).join("\n"),
    };
  });
  const filter = async (id, value) => {
    await (id === "kind" ? page.selectOption("#queries-kind", value) : page.fill("#queries-" + id, value));
    await pause(1500);
    return look();
  };
  const seen = { all: await look(), seen: await page.textContent("#queries-seen") };
  seen.kind = await filter("kind", "servfail");
  seen.first = { result: seen.kind.results[0], client: seen.kind.clients[0], name: seen.kind.names[0] };
  seen.name = await filter("name", seen.first.name);
  await filter("name", "");
  seen.client = await filter("client", seen.first.client);
  await filter("client", "nobody");
  seen.bad = await page.textContent("#queries-state");
  await filter("client", "");
  seen.long = await filter("min", "60000");
  await filter("min", "");
  await filter("kind", "");
  await page.click("#queries-pause");
  seen.button = await page.textContent("#queries-pause");
  seen.paused = [(await look()).text];
  await pause(6000);
  seen.paused.push((await look()).text);
  await page.click("#queries-pause");
  await pause(3000);
  seen.resumed = (await look()).text;
  return seen;
}

/* A phone shows an upstream's details where they are asked for. */
async function unfold(page) {
  const failures = page.locator("#upstreams tr:first-child td:nth-child(10)");
  const before = await failures.isVisible();
  await page.click("#upstreams tr:first-child .more");
  return { before, after: await failures.isVisible() };
}

async function main(url, markup) {
  const browser = await launch();
  const windows = [];
  for (const window of WINDOWS) windows.push({ ...window, ...(await open(browser, url, window)) });
  const { page } = windows[0];
  const before = await look(page);
  await pause(SECONDS * 1000);
  const after = await look(page);
  const names = await page.$$eval("#names .what", (nodes) => nodes.map((node) => node.textContent));
  const inside = await page.evaluate(() => ({
    scripts: document.scripts.length, inline: document.querySelectorAll("main script").length,
  }));
  const background = (each) => each.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const report = {
    before, after, names, inside,
    markup: names.filter((name) => name.includes(markup)).length,
    state: await page.textContent("#state-text"),
    backgrounds: [await background(windows[0]), await background(windows[1])],
    points: await page.$eval("#chart path:nth-of-type(3)", (path) => path.getAttribute("d").split("L").length),
    used: await use(page),
    queries: await queries(page),
    unfolded: await unfold(windows.find(({ name }) => name === "phone").page),
    windows: [],
  };
  for (const { name, seen, overflow, strangers } of windows)
    report.windows.push({ name, messages: seen.messages, dialogs: seen.dialogs, requests: seen.requests.length,
      strangers: strangers(), overflow: await overflow() });
  await browser.close();
  console.log(JSON.stringify(report));
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exit(1);
});
