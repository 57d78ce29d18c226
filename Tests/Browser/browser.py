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


def start():
    """Returns a WebDriver with the desktop size of the dashboard."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1440,900"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service(shutil.which("chromedriver") or "/usr/bin/chromedriver"), options=options)
    driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": TIME_ZONE})
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


def complaints(driver):
    """Returns console errors, policy violations and alerts since the last call."""
    errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    errors += driver.execute_script("return window.violations.splice(0)")
    return errors + driver.execute_script("return window.alerts.splice(0)")
