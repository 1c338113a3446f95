// node axe.js URL: what axe-core finds wrong with the status page, as JSON: a list of {window, rule, help, where}.
"use strict";
const fs = require("fs");
const path = require("path");
const { launch, open } = require("./browser.js");

const AXE = fs.readFileSync(path.join(path.dirname(process.env.PLAYWRIGHT), "axe-core/axe.min.js"), "utf8");
const WINDOWS = [
  { name: "light", scheme: "light" },
  { name: "dark", scheme: "dark" },
  { name: "phone", width: 390, height: 844 },
  { name: "small phone, dark", scheme: "dark", width: 320, height: 568 },
  { name: "forced colours", forced: "active" },
];

/* With everything open that can be: what is hidden is not looked at. */
async function findings(page) {
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    for (const more of document.querySelectorAll("#upstreams .more")) if (more.checkVisibility()) more.click();
  });
  await page.evaluate(AXE + ";null");
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => ({ rule: id, help, where: target.join(" "), why: failureSummary })));
}

async function main(url) {
  const browser = await launch();
  const found = [];
  for (const window of WINDOWS) {
    const { page } = await open(browser, url, window);
    for (const finding of await findings(page)) found.push({ window: window.name, ...finding });
  }
  await browser.close();
  console.log(JSON.stringify({ windows: WINDOWS.length, found }));
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
