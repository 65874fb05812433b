// The line of pages scrolls on a telephone: the page that is open comes into view.
document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
