/* Puts what scrolls sideways in reach of the keyboard when it is first shown.
 *
 * The theme measures once, and what stands in a closed solution has no width then: it
 * would stay out of reach. A box that is shown, or gets another size, is measured anew.
 */
(() => {
  "use strict";

  const measured = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
    }
  });
  document.querySelectorAll("pre").forEach((box) => measured.observe(box));
})();
