// node flood.js URL [PICTURE]: what the status page says of a client that floods, as JSON; and a picture of it.
"use strict";
const { launch, open } = require("./browser.js");

async function main(url, picture) {
  const browser = await launch();
  const { page } = await open(browser, url);
  await page.waitForSelector("#flood:not([hidden])");
  if (picture) await page.screenshot({ path: picture, fullPage: true });
  console.log(JSON.stringify({
    rows: await page.$$eval("#busiest-addresses tr", (rows) =>
      rows.map((row) => [...row.cells].map((cell) => cell.innerText))),
    link: await page.getAttribute("#flood a", "href"),
  }));
  await browser.close();
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exit(1);
});
