// Shows the times in the visitor's own zone at once. Without scripts the visitor chooses it below.
"use strict";
(() => {
  const address = new URL(location.href);
  if (address.searchParams.has("tz")) return;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const chosen = document.getElementById("tz");
  if (!zone || !chosen || chosen.value === zone) return;
  address.searchParams.set("tz", zone);
  location.replace(address);
})();
