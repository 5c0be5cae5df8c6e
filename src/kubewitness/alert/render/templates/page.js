
"use strict";
(() => {
  const filter = document.querySelector(".filter");
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const toggle = document.getElementById("toggle");
  const boxes = [...document.querySelectorAll("input[name=severity]")];
  const alerts = [...document.querySelectorAll("details.alert")];
  const texts = alerts.map((alert) => alert.textContent.toLowerCase());

  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const severities = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    alerts.forEach((alert, index) => {
      const fits = severities.has(alert.dataset.severity) && words.every((word) => texts[index].includes(word));
      alert.hidden = !fits;
      count += fits ? 1 : 0;
    });
    shown.textContent = `${count} of ${alerts.length} shown`;
  };

  const label = () => {
    toggle.textContent = alerts.some((alert) => !alert.open) ? "Open all" : "Close all";
  };

  let openBefore = [];
  window.addEventListener("beforeprint", () => {
    openBefore = alerts.map((alert) => alert.open);
    alerts.forEach((alert) => { alert.open = true; });
  });
  window.addEventListener("afterprint", () => {
    alerts.forEach((alert, index) => { alert.open = openBefore[index]; });
  });

  search.addEventListener("input", apply);
  boxes.forEach((box) => box.addEventListener("change", apply));
  alerts.forEach((alert) => alert.addEventListener("toggle", label));
  toggle.addEventListener("click", () => {
    const open = alerts.some((alert) => !alert.open);
    alerts.forEach((alert) => { alert.open = open; });
  });
  filter.hidden = false;
  apply();
})();
