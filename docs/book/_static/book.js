// What scrolls sideways can be reached by keyboard; what doesn't is no stop on the way.
const watcher = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

function watch() {
  const boxes = document.querySelectorAll("article :is(pre, .table-wrapper, div.math)");
  boxes.forEach((box) => watcher.observe(box));
}

// The two drawers of a narrow window: buttons in the place of labels, which only a mouse can press.
function drawer(id, selector, name) {
  const toggle = document.getElementById(id);
  const drawer = document.querySelector(selector);
  for (const label of document.querySelectorAll(`label[for=${id}]:not(.overlay)`)) {
    const button = document.createElement("button");
    button.className = label.className;
    button.ariaLabel = name;
    button.ariaExpanded = "false";
    button.append(...label.childNodes);
    button.addEventListener("click", () => {
      toggle.click();
      drawer.querySelector("a").focus();
    });
    toggle.addEventListener("change", () => (button.ariaExpanded = String(toggle.checked)));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !toggle.checked || !button.checkVisibility()) return;
      toggle.click();
      button.focus();
    });
    label.replaceWith(button);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  drawer("__navigation", ".sidebar-drawer", "Menu");
  drawer("__toc", ".toc-drawer", "On this page");
});
window.addEventListener("load", watch);
