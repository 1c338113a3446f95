// node screenshots.js URL SECONDS FOLDER: pictures of the status page, taken after so long.
"use strict";
const { launch, open, pause } = require("./browser.js");

async function main(url, seconds, folder) {
  const browser = await launch();
  const wanted = {
    "status-light": { scheme: "light" },
    "status-dark": { scheme: "dark" },
    phone: { width: 390, height: 844 },
    tablet: { scheme: "dark", width: 768 },
    forced: { forced: "active" },
    day: { range: "24h" },
  };
  const windows = [];
  for (const [name, window] of Object.entries(wanted)) windows.push({ name, ...(await open(browser, url, window)) });
  for (const { name, page } of windows)
    if (wanted[name].range) await page.check(`#ranges input[value="${wanted[name].range}"]`, { force: true });
  await pause(seconds * 1000);
  for (const { name, page } of windows) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  await browser.close();
}

main(process.argv[2], Number(process.argv[3]), process.argv[4]).catch((error) => {
  console.error(error);
  process.exit(1);
});
