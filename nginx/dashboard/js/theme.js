// Runs before the first paint (a classic script in the head), so that a remembered theme never flashes.
(() => {
    try {
        const theme = localStorage.getItem("theme");
        if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    } catch {
        // Storage is blocked: the system's preference applies.
    }
})();
