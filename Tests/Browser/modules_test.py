#!/usr/bin/python3
"""Runs modules.js, the promises of the dashboard's pure modules, in a Chromium whose time zone is not India's.

    /usr/bin/python3 Tests/Browser/modules_test.py
"""

import functools
import http.server
import threading
import unittest
from pathlib import Path

from selenium.webdriver.support.ui import WebDriverWait

import browser

HERE = Path(__file__).resolve().parent
DASHBOARD = HERE.parent.parent / "nginx" / "dashboard"


class Files(http.server.SimpleHTTPRequestHandler):
    """The dashboard, with the promises in the place of its main module: the modules expect the page around them."""

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}

    def do_GET(self):
        if self.path == "/js/main.js":
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript")
            self.end_headers()
            self.wfile.write((HERE / "modules.js").read_bytes())
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


class Modules(unittest.TestCase):
    def test_every_promise_is_kept(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=DASHBOARD))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        driver = browser.start()
        self.addCleanup(driver.quit)
        driver.get(f"http://127.0.0.1:{server.server_port}/")
        WebDriverWait(driver, 20).until(
            lambda page: page.execute_script("return Boolean(window.results)"),
            "modules.js did not run to its end: see the console of the page")
        results = driver.execute_script("return window.results")
        self.assertGreater(len(results), 60)
        for result in results:
            with self.subTest(result["sentence"]):
                self.assertIsNone(result["failure"])
        self.assertEqual(browser.complaints(driver), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
