// A page of the program in Chromium, and whatever it does that it should not: messages on its console, errors, requests
// that fail or leave, a place wider than the window.
"use strict";
const { chromium } = require(process.env.PLAYWRIGHT);

const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

const launch = () => chromium.launch({ executablePath: "/usr/bin/chromium", args: QUIET });

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function open(browser, url, { scheme = "light", width = 1200, height = 900, scale = 1, forced = "none" } = {}) {
  const viewport = { width, height };
  const context = await browser.newContext({
    colorScheme: scheme, forcedColors: forced, viewport, deviceScaleFactor: scale,
  });
  const page = await context.newPage();
  const seen = { messages: [], requests: [], dialogs: 0 };
  const home = new URL(url).origin;
  page.on("console", (message) => seen.messages.push(message.type() + ": " + message.text()));
  page.on("pageerror", (error) => seen.messages.push("error: " + error));
  page.on("dialog", (dialog) => { seen.dialogs++; return dialog.dismiss(); });
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("requestfailed", (request) => seen.messages.push("failed: " + request.url()));
  await page.goto(url);
  await page.waitForFunction(() => document.querySelector("#qps").textContent !== "–");
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  const strangers = () => seen.requests.filter((each) => !each.startsWith(home) && !each.startsWith("data:"));
  return { page, seen, overflow, strangers };
}

module.exports = { launch, open, pause };
