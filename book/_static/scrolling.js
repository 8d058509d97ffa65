/* Puts what scrolls sideways in reach of the keyboard when it is first shown.
 *
 * The theme measures when a page is loaded or changed. A closed solution is wider than
 * an open one, and what fits it only then would stay out of reach. A solution that opens
 * makes the page longer: then all is measured anew. So it is when a cell has run, whose
 * new output may be as long as the one before.
 */
(() => {
  "use strict";

  const main = document.getElementById("main-content");
  const measure = () => {
    for (const box of main.querySelectorAll("pre, #fig-doctor-confusion")) {
      box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
    }
  };
  new ResizeObserver(measure).observe(main);
  document.addEventListener("live-cell", measure);
})();
