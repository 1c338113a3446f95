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
];

const look = (page) => page.evaluate(() => ({
  qps: document.querySelector("#qps").textContent,
  chart: document.querySelector("#chart path:nth-of-type(3)").getAttribute("d"),
  accepted: document.querySelector("#answers").innerText,
}));

async function main(url, markup) {
  const browser = await launch();
  const windows = [];
  for (const window of WINDOWS) windows.push({ ...window, ...(await open(browser, url, window)) });
  const { page } = windows[0];
  const before = await look(page);
  await pause(SECONDS * 1000);
  const after = await look(page);
  const names = await page.$$eval("#names .what", (nodes) => nodes.map((node) => node.textContent));
  const inside = await page.evaluate(() => ({ scripts: document.scripts.length, inline: document.querySelectorAll("main script").length }));
  const background = (each) => each.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const report = {
    before, after, names, inside,
    markup: names.filter((name) => name.includes(markup)).length,
    state: await page.textContent("#state-text"),
    backgrounds: [await background(windows[0]), await background(windows[1])],
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
