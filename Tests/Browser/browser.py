"""A headless Chromium for the tests, far away from India, that remembers what went wrong on a page.

Needs Debian's chromium, chromium-driver and python3-selenium.
"""

import shutil

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

TIME_ZONE = "America/New_York"

# Runs before any script of the page: keeps what the content security policy refused, and what only an injected script would do.
WITNESS = """
window.violations = [];
window.alerts = [];
window.alert = (text) => window.alerts.push(String(text));
document.addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""

# Every visible text outside drawings with its contrast to what lies behind it (WCAG 2.2, 1.4.3), where that is too little.
FAINT = """
const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
const over = ([r, g, b, a], under) => [r, g, b].map((part, index) => part * a / 255 + under[index] * (1 - a / 255));
const ground = (node) => {
    if (!node) return [255, 255, 255];
    const colour = rgba(getComputedStyle(node).backgroundColor);
    return colour[3] === 255 ? colour.slice(0, 3) : over(colour, ground(node.matches("dialog") ? document.body : node.parentElement));
};
const light = (colour) => colour.map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const faint = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || node.closest(":disabled, .visually-hidden, option, svg")) continue;
    if (document.querySelector("dialog[open]") && !node.closest("dialog[open], .toasts, .menu")) continue;
    const style = getComputedStyle(node);
    const behind = ground(node);
    const [one, other] = [light(over(rgba(style.color), behind)), light(behind)];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const size = parseFloat(style.fontSize);
    if (contrast < (size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5))
        faint.push(`${contrast.toFixed(2)} ${node.className} "${walker.currentNode.data.trim().slice(0, 30)}"`);
}
return faint;
"""


def start(downloads=None):
    """Returns a WebDriver with the desktop size of the dashboard; files that it saves go to the folder `downloads`."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1440,900"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service(shutil.which("chromedriver") or "/usr/bin/chromedriver"), options=options)
    if downloads:
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})
    driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": TIME_ZONE})
    driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WITNESS})
    resize(driver, 1440, 900)
    return driver


def resize(driver, width, height, dark=False):
    """Makes the page a phone (under 600 px) or a desktop, light or dark."""
    phone = width < 600
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone})
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                           {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})


def busy_seconds(driver):
    """Returns the processor time that the page's own thread has taken: what it is busy with, it does not answer clicks in."""
    return next(metric["value"] for metric in driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"] if metric["name"] == "TaskDuration")


def complaints(driver):
    """Returns console errors, policy violations and alerts since the last call."""
    errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    errors += driver.execute_script("return window.violations.splice(0)")
    return errors + driver.execute_script("return window.alerts.splice(0)")


def faint(driver):
    """Returns the visible texts that are too faint to read, each with its contrast."""
    return driver.execute_script(FAINT)
