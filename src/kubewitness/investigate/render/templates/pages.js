"use strict";
(() => {
  const filter = document.querySelector(".filter");
  if (!filter) return;
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const items = [...document.querySelectorAll("[data-item]")];
  const groups = [...document.querySelectorAll("[data-group]")];
  const boxes = [...document.querySelectorAll("input[name=kind]")];
  const texts = items.map((item) => item.textContent.toLowerCase());
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kinds = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    items.forEach((item, index) => {
      const isKind = !boxes.length || kinds.has(item.dataset.item);
      item.hidden = !(isKind && words.every((word) => texts[index].includes(word)));
      count += item.hidden ? 0 : 1;
    });
    groups.forEach((group) => { group.hidden = ![...group.querySelectorAll("[data-item]")].some((item) => !item.hidden); });
    shown.textContent = `${count} of ${items.length} shown`;
  };
  search.addEventListener("input", apply);
  boxes.forEach((box) => box.addEventListener("change", apply));
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((each) => { each.open = true; });
  });
  filter.hidden = false;
  apply();
})();
