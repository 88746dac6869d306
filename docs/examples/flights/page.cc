#include "docs/examples/flights/live.h"

namespace flights {

const char* const kPage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A year of flights</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --ink: #1b2530; --faint: #6b7885; --line: #dde3e8; --back: #f7f9fa; --card: #fff;
          --sea: #0b7285; --alarm: #b35c00; }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e4eaef; --faint: #94a1ad; --line: #2b3742; --back: #12181e; --card: #1a222a; --sea: #4cc3d6; --alarm: #ffb454; }
  }
  * { box-sizing: border-box; }
  body { margin: 0 auto; padding: 2rem 1.5rem; max-width: 62rem; background: var(--back); color: var(--ink);
         font: 16px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
  h1 { margin: 0; font-size: 1.5rem; }
  h2 { margin: 2rem 0 .5rem; font-size: 1rem; }
  header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: .5rem; }
  #state, small, th { color: var(--faint); font-size: .85rem; font-weight: normal; }
  #numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem; margin: 1.5rem 0; }
  #numbers div { padding: .8rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
  #numbers b { display: block; font-size: 1.7rem; line-height: 1.2; }
  .feed { display: grid; grid-template-columns: 5rem 1fr 10rem; gap: 1rem; align-items: center; margin: .4rem 0; }
  .feed time { text-align: right; color: var(--faint); }
  .bar { position: relative; height: .6rem; border-radius: .3rem; background: var(--line); overflow: hidden; }
  .bar i { position: absolute; inset: 0 auto 0 0; width: 0; background: var(--sea); }
  .bar i:first-child { opacity: .35; }
  #waiting { min-height: 1.5rem; color: var(--alarm); }
  svg { display: block; width: 100%; height: 7rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
  rect { fill: var(--sea); }
  table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line); }
  th, td { padding: .3rem .8rem; text-align: right; border-top: 1px solid var(--line); white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; }
  td:last-child { width: 30%; }
</style>
<header><h1>A year of flights out of New York</h1><span id="state">connecting …</span></header>

<section id="numbers">
  <div><b id="flights">0</b><small>flights counted</small></div>
  <div><b id="joined">0</b><small>joined with the weather</small></div>
  <div><b id="days">0</b><small>carrier days closed</small></div>
  <div><b id="held">0</b><small>wait in the join</small></div>
  <div><b id="late">0</b><small>came too late</small></div>
</section>

<div class="feed"><span>flights</span><div class="bar"><i></i><i></i></div><time id="flights-watermark">-</time></div>
<div class="feed"><span>weather</span><div class="bar"><i></i><i></i></div><time id="weather-watermark">-</time></div>
<div id="waiting"></div>

<h2>Flights on each day, darker where they were later <small id="day"></small></h2>
<svg id="year" viewBox="0 0 365 1100" preserveAspectRatio="none"></svg>

<h2>Carriers</h2>
<table>
  <thead><tr><th>carrier</th><th>last day</th><th>flights on it</th><th>flights</th><th>mean delay</th><th></th></tr></thead>
  <tbody id="carriers"></tbody>
</table>

<script>
  "use strict";
  const names = {"9E": "Endeavor", AA: "American", AS: "Alaska", B6: "JetBlue", DL: "Delta", EV: "ExpressJet", F9: "Frontier",
                 FL: "AirTran", HA: "Hawaiian", MQ: "Envoy", OO: "SkyWest", UA: "United", US: "US Airways", VX: "Virgin America",
                 WN: "Southwest", YV: "Mesa"};
  const at = id => document.getElementById(id);
  const number = n => n.toLocaleString("en");
  const delay = tally => tally.departed ? tally.delay_sum / tally.departed : 0;
  const carriers = new Map(), days = new Map();
  let ended = false, drawn = true;

  function draw() {
    drawn = true;
    const rows = [...carriers].sort((a, b) => b[1].flights - a[1].flights);
    const most = rows.length ? rows[0][1].flights : 1;
    at("carriers").replaceChildren(...rows.map(([key, tally]) => {
      const row = document.createElement("tr");
      for (const text of [names[key] || key, tally.day.slice(0, 10), number(tally.on_day), number(tally.flights),
                          delay(tally).toFixed(1) + " min"]) {
        row.insertCell().textContent = text;
      }
      const bar = document.createElement("div"), part = document.createElement("i");
      bar.className = "bar";
      bar.append(part, document.createElement("i"));
      part.style.width = 100 * tally.flights / most + "%";
      part.style.opacity = 1;
      row.insertCell().append(bar);
      return row;
    }));
    at("flights").textContent = number(rows.reduce((sum, [, tally]) => sum + tally.flights, 0));
    const first = Date.UTC(2013, 0, 1), last = [...days.keys()].sort().at(-1);
    at("day").textContent = last ? "to " + last : "";
    at("year").replaceChildren(...[...days].map(([key, tally]) => {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const x = (Date.parse(key) - first) / 86400000;
      for (const [name, value] of Object.entries({x, y: 1100 - tally.flights, width: 0.8, height: tally.flights,
                                                  opacity: Math.min(1, 0.3 + Math.max(0, delay(tally)) / 50)})) {
        bar.setAttribute(name, value);
      }
      return bar;
    }));
  }
  function changed() {
    if (drawn) requestAnimationFrame(draw);
    drawn = false;
  }
  function tally(map) {
    return event => {
      const {key, value} = JSON.parse(event.data);
      map.set(key, value);
      changed();
    };
  }
  function show(news) {
    for (const [i, name] of ["flights", "weather"].entries()) {
      const feed = news[name], parts = document.querySelectorAll(".feed .bar")[i].children;
      parts[0].style.width = 100 * feed.sent / feed.total + "%";
      parts[1].style.width = 100 * feed.read / feed.total + "%";
      at(name + "-watermark").textContent = feed.watermark;
    }
    at("joined").textContent = number(news.joined);
    at("days").textContent = number(news.carrier_days);
    at("held").textContent = number(news.held);
    at("late").textContent = number(news.late);
    at("waiting").textContent = news.waiting ? `${news.waiting} partitions of the flights wait for ${news.waits_for}` : "";
    ended = news.has_ended;
    at("state").textContent = news.seconds.toFixed(1) + (ended ? " s, the end" : " s");
  }

  const source = new EventSource("events" + location.search);
  source.addEventListener("snapshot", () => { carriers.clear(); days.clear(); changed(); });
  source.addEventListener("carrier", tally(carriers));
  source.addEventListener("day", tally(days));
  source.addEventListener("news", event => show(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    if (ended) return source.close();
    at("state").textContent = source.readyState === EventSource.CLOSED ? "not let in" : "connecting …";
  });
</script>
</html>
)html";

}  // namespace flights
