// node outage.js URL [PICTURE]: what the status page says of an outage, as JSON; and a picture of it.
"use strict";
const { launch, open, pause } = require("./browser.js");

async function main(url, picture) {
  const browser = await launch();
  const { page } = await open(browser, url);
  await page.waitForSelector("#outage:not([hidden])");
  await pause(4000);
  if (picture) await page.screenshot({ path: picture, fullPage: true });
  console.log(JSON.stringify({
    text: await page.textContent("#outage-text"),
    works: await page.textContent("#outage-works"),
    link: await page.getAttribute("#outage a", "href"),
    ...(await page.evaluate(() => {
      const area = document.querySelector("#chart path.bad"); // drawn anew each second
      return { failed: area.getAttribute("d"), colour: getComputedStyle(area).fill };
    })),
    states: await page.$$eval("#upstreams td:nth-child(2)", (cells) => cells.map((cell) => cell.innerText)),
  }));
  await browser.close();
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exit(1);
});
