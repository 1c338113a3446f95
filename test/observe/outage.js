// node outage.js URL: what the status page says of an outage, as JSON.
"use strict";
const { launch, open, pause } = require("./browser.js");

async function main(url) {
  const browser = await launch();
  const { page } = await open(browser, url);
  await page.waitForSelector("#outage:not([hidden])");
  await pause(2000);
  const text = await page.textContent("#outage-text"), works = await page.textContent("#outage-works");
  console.log(JSON.stringify({ text, works }));
  await browser.close();
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
