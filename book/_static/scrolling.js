/* Puts what scrolls sideways in reach of the keyboard when it is first shown.
 *
 * The theme measures when a page is loaded or changed. A closed solution is wider than
 * an open one, and what fits it only then would stay out of reach. A solution that opens
 * makes the page longer: then all is measured anew, outputs of cells that were run
 * included.
 */
(() => {
  "use strict";

  const main = document.getElementById("main-content");
  const measured = new ResizeObserver(() => {
    for (const box of main.querySelectorAll("pre, #fig-doctor-confusion")) {
      box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
    }
  });
  measured.observe(main);
})();
