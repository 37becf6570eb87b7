// Runs in every page before its own scripts, and tells on the console what is wrong with the page: the test reads it there.
"use strict";

function complain(what) {
  // oxlint-disable-next-line no-console -- the console is how a page tells the test
  console.error(`${location.origin}${location.pathname} "${document.title}": ${what}`);
}

document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  complain(`its policy forbids ${violatedDirective}: ${blockedURI}`),
);

addEventListener("load", () => {
  const each = (selector, check) => document.querySelectorAll(selector).forEach(check);
  const shown = (element) => element.checkVisibility();

  if (document.documentElement.scrollWidth > innerWidth)
    complain(`is ${document.documentElement.scrollWidth} pixels wide in a window of ${innerWidth}`);
  if (document.documentElement.lang === "") complain("does not say its language");
  if (document.querySelectorAll("h1").length !== 1) complain("has not one heading");
  each("[id]", ({ id }) => {
    if (document.querySelectorAll(`#${CSS.escape(id)}`).length > 1) complain(`has two elements with the id ${id}`);
  });
  each("input:not([type=hidden]), select", (input) => {
    if (shown(input) && !input.labels?.length && !input.ariaLabel) complain(`the field ${input.name} has no label`);
  });
  each("input:not([type=hidden], [type=checkbox], [type=radio]), select", (field) => {
    // WCAG 2.2, 1.4.11: what alone shows that there is a field.
    const ratio = contrast(getComputedStyle(field).borderTopColor, backgroundOf(field));
    if (shown(field) && ratio < 3) complain(`the edge of the field ${field.name} stands out by ${ratio.toFixed(1)} only`);
  });
  each("button, a[href]", (element) => {
    if (shown(element) && !(element.ariaLabel ?? element.textContent).trim()) complain(`${element.outerHTML} says nothing`);
  });
  each("[aria-describedby]", (element) => {
    for (const id of element.getAttribute("aria-describedby").split(" "))
      if (!document.getElementById(id)) complain(`${element.id} is described by ${id}, which is not there`);
  });
  each("body *", (element) => {
    const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "");
    if (!hasText || !shown(element) || element.closest("svg")) return;
    const ratio = contrast(getComputedStyle(element).color, backgroundOf(element));
    if (ratio < 4.5) complain(`"${element.textContent.trim().slice(0, 30)}" stands out by ${ratio.toFixed(1)} only`);
  });
});

function backgroundOf(element) {
  for (let at = element; at; at = at.parentElement) {
    const { backgroundColor } = getComputedStyle(at);
    if (!backgroundColor.endsWith(", 0)")) return backgroundColor;
  }
  return "rgb(255, 255, 255)";
}

/** WCAG 2.2, contrast ratio. */
function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((left, right) => left - right);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour) {
  const [red, green, blue] = colour
    .match(/[\d.]+/g)
    .slice(0, 3)
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
