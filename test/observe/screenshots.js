// node screenshots.js URL SECONDS FOLDER NAME...: pictures of the status page, taken after so long, all at once.
"use strict";
const { launch, open, pause } = require("./browser.js");

const WINDOWS = {
  "status-light": { scheme: "light" },
  "status-dark": { scheme: "dark" },
  idle: {},
  phone: { width: 390, height: 844 },
  tablet: { scheme: "dark", width: 768 },
  forced: { forced: "active" },
  day: { range: "24h" },
  outage: {},
  flood: {},
};

async function main(url, seconds, folder, names) {
  const browser = await launch();
  const windows = [];
  for (const name of names) windows.push({ name, ...(await open(browser, url, WINDOWS[name])) });
  for (const { name, page } of windows) {
    const { range } = WINDOWS[name];
    if (range) await page.check(`#ranges input[value="${range}"]`, { force: true });
  }
  await pause(seconds * 1000);
  for (const { name, page } of windows) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  await browser.close();
}

main(process.argv[2], Number(process.argv[3]), process.argv[4], process.argv.slice(5)).catch((error) => {
  console.error(error);
  process.exit(1);
});
