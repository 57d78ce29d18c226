#!/usr/bin/python3
"""Drives the dashboard of a running server as a person would: uploads leads, calls them, reads what they said.

    BASE_URL=http://127.0.0.1:8080 /usr/bin/python3 Tests/Browser/dashboard_test.py

The server must be a rehearsal (`./deploy.sh local`): its simulated phone network answers by the number's last digit.
Leads are added, never removed, so it may run again on the same server. SEED repeats a run, SCREENSHOTS names a folder for pictures.
"""

import os
import random
import re
import time
import unittest
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import browser

BASE_URL = os.environ.get("BASE_URL", "http://127.0.0.1:8080")
SCREENSHOTS = os.environ.get("SCREENSHOTS")
SEED = int(os.environ.get("SEED", random.randrange(1_000_000)))
INJECTION = "<img src=x onerror=alert(1)>"
CALL_SECONDS = 180

DROP = """
const [name, text] = arguments;
const data = new DataTransfer();
data.items.add(new File([text], name, { type: "text/csv" }));
for (const type of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
"""


class Dashboard(unittest.TestCase):
    """The tests run in the order of their names: each goes on from the page that the one before has left."""

    @classmethod
    def setUpClass(cls):
        print(f"SEED={SEED}")
        chance = random.Random(SEED)
        cls.family = f"Bt{SEED}"
        # 0, 1 and 2 end in a conversation.
        cls.numbers = [f"+9198{chance.randrange(10**7):07d}{digit}" for digit in "012"]
        cls.names = [f"Asha {cls.family}", f"Rohan {cls.family}", f"{INJECTION} {cls.family}"]
        cls.driver = browser.start()
        cls.driver.get(BASE_URL)
        cls.wait(lambda: cls.text("#health-text") not in ("", "Connecting…"), "the page never heard from its server")

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()

    def tearDown(self):
        self.assertEqual(browser.complaints(self.driver), [], "the page complained")

    @classmethod
    def wait(cls, condition, message, seconds=20):
        WebDriverWait(cls.driver, seconds, poll_frequency=0.2).until(lambda _: condition(), message)

    @classmethod
    def one(cls, selector):
        return cls.driver.find_element(By.CSS_SELECTOR, selector)

    @classmethod
    def all(cls, selector):
        return cls.driver.find_elements(By.CSS_SELECTOR, selector)

    @classmethod
    def text(cls, selector):
        return cls.driver.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    @classmethod
    def texts(cls, selector):
        return cls.driver.execute_script("return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)", selector)

    def picture(self, name):
        if SCREENSHOTS:
            time.sleep(0.4)     # animations
            self.driver.save_screenshot(str(Path(SCREENSHOTS) / f"{name}.png"))

    def test_01_the_clock_is_the_servers_although_the_browser_is_in_new_york(self):
        zone = self.driver.execute_script("return Intl.DateTimeFormat().resolvedOptions().timeZone")
        self.assertEqual(zone, browser.TIME_ZONE)
        summary = self.driver.execute_async_script(
            "const done = arguments[0]; fetch('/api/analytics/summary').then((answer) => answer.json()).then(done)")
        self.assertRegex(self.text("#clock"), r"^\d{1,2} [A-Z][a-z]{2} \d{4}, \d{1,2}:\d\d (AM|PM) IST$")
        hour, minute = map(int, re.search(r"T(\d\d):(\d\d)", summary["now"]).groups())
        shown_hour, shown_minute, half = re.search(r"(\d{1,2}):(\d\d) (AM|PM)", self.text("#clock")).groups()
        shown = (int(shown_hour) % 12 + (12 if half == "PM" else 0)) * 60 + int(shown_minute)
        self.assertIn((hour * 60 + minute - shown) % 1440, (0, 1, 1439))
        self.assertEqual(self.one("#simulated").is_displayed(), summary["simulated"])

    def test_02_a_dropped_file_is_previewed_before_anything_is_stored(self):
        rows = ["Full Name,number,email,City", *(f'"{name}",{number},,Pune' for name, number in zip(self.names, self.numbers)),
                f"Too Short {self.family},12,,Pune", f"Twice {self.family},{self.numbers[0]},,Pune"]
        before = self.text("[data-tile=total] .tile__count")
        self.driver.execute_script(DROP, "leads.csv", "\r\n".join(rows) + "\r\n")
        self.wait(lambda: self.all("#upload-confirm"), "there is no preview")
        self.picture("upload-preview")
        self.assertEqual(self.text("#upload-confirm"), "Import 3 leads")
        body = self.text("#upload-body")
        self.assertIn("Not used: City.", body)
        self.assertIn(INJECTION, body)
        self.assertIn("5", self.texts("#upload-body .upload__section td:first-child"), "the line of the bad row is not named")
        self.assertEqual(self.text("[data-tile=total] .tile__count"), before)

    def test_03_confirming_stores_the_good_rows_and_says_so(self):
        self.one("#upload-confirm").click()
        self.wait(lambda: self.all(".upload__done"), "there is no result")
        self.assertIn("3 leads added", self.text(".upload__done"))
        self.one("#upload-foot .btn--primary").click()

    def test_04_slash_searches_and_finds_the_new_leads(self):
        self.one("body").send_keys("/")
        self.driver.switch_to.active_element.send_keys(self.family)
        self.wait(lambda: sorted(self.texts(".row__name")) == sorted(self.names), "the search does not show the three leads")
        number = self.numbers[0]
        self.assertIn(f"{number[:3]} {number[3:8]} {number[8:]}", self.texts(".row__number"))

    def test_05_a_name_that_looks_like_markup_stays_text(self):
        self.assertIn(self.names[2], self.texts(".row__name"))
        self.assertEqual(self.all("#rows img, #upload-body img"), [])

    def test_06_a_refresh_keeps_rows_focus_and_selection(self):
        self.one(".row .checkbox").click()
        self.one(".row .row__name").send_keys("")
        self.driver.execute_script("""
            window.row = document.querySelector(".row"); window.row.querySelector(".row__name").focus(); window.answers = [];
            const real = window.fetch;
            window.fetch = async (...question) => { const answer = await real(...question); window.answers.push(answer.status); return answer; };
        """)
        self.wait(lambda: self.driver.execute_script("return window.answers.length >= 4"), "the page does not refresh", 40)
        self.assertTrue(self.driver.execute_script("return window.row === document.querySelector('.row') && document.activeElement === window.row.querySelector('.row__name')"))
        self.assertTrue(self.one(".row .checkbox").is_selected())
        self.assertIn(304, self.driver.execute_script("return window.answers"), "an unchanged list is sent again")

    def test_07_a_bulk_call_reaches_all_three(self):
        select_page = self.one("#select-page")
        select_page.click()
        self.assertEqual(self.text("#selection-count"), "3 leads selected")
        self.picture("selected")
        self.one("#call-selected").click()
        self.wait(lambda: any("call" in text or "waiting" in text for text in self.texts(".toast__message")), "no sentence says what happened")
        self.wait(lambda: self.texts(".row .cell--status .pill") == ["Completed"] * 3,
                  "the three leads were not completed", CALL_SECONDS)
        self.assertFalse(self.one("#selection").is_displayed(), "the selection outlived the call")

    def test_08_the_details_show_the_conversation_and_the_reasons(self):
        next(row for row in self.all(".row__name") if row.text == self.names[0]).click()
        self.wait(lambda: self.all(".bubble[data-side=agent]") and self.all(".bubble[data-side=lead]"), "there is no conversation")
        self.picture("details")
        agent, lead = self.one(".bubble[data-side=agent]").rect, self.one(".bubble[data-side=lead]").rect
        self.assertLess(agent["x"], lead["x"])
        self.assertEqual(self.text(".bubble[data-side=agent] .bubble__speaker"), "Eshwari")
        self.assertIn("Completed", self.texts(".panel__pills .pill"))
        self.one("#tab-calls").click()
        self.assertRegex(self.text(".call__head"), r"\d{4}, \d{1,2}:\d\d [AP]M IST")
        self.one("#tab-journey").click()
        self.assertTrue(all(self.texts(".timeline__reason")) and self.all(".timeline__step"), "a decision has no reason")
        self.picture("journey")
        self.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        self.wait(lambda: not self.one("#details-dialog").is_displayed(), "Escape does not close the details")

    def test_09_a_schedule_is_summed_up_before_it_is_sent(self):
        self.one("#select-page").click()
        self.one("#schedule-selected").click()
        self.driver.execute_script("""
            const [day] = document.getElementById("schedule-time").value.split("T");
            for (const [id, value] of [["schedule-time", `${day}T23:50`], ["schedule-parallel", 2], ["schedule-interval", 120]]) {
                document.getElementById(id).value = value;
                document.getElementById(id).dispatchEvent(new Event("input", { bubbles: true }));
            }
        """)
        plan = " ".join(self.texts("#schedule-plan dd"))
        self.assertIn("2, one every 2 min", plan)
        self.assertIn("11:54 PM IST", plan)
        self.picture("schedule")
        self.one("#schedule-dialog [type=submit]").click()
        self.wait(lambda: any("3 calls scheduled" in text and "11:50 PM IST" in text for text in self.texts(".toast__message")), "the schedule was not taken")

    def test_10_a_schedule_can_be_called_off(self):
        self.one("#open-tools").click()
        self.one("#menu button:nth-of-type(1)").click()
        self.wait(lambda: self.all(".schedule button"), "the schedule is not listed")
        self.picture("schedules")
        self.one(".schedule button").click()
        self.one("#confirm-action").click()
        self.wait(lambda: any("cancelled" in text for text in self.texts(".toast__message")), "no sentence says that it is cancelled")
        self.driver.execute_script("document.getElementById('schedules-dialog').close()")

    def test_11_a_mistake_is_explained_at_its_field(self):
        self.one("#add-lead").click()
        self.one("#lead-name").send_keys("Somebody")
        self.one("#lead-number").send_keys("12x")
        self.one("#lead-dialog [type=submit]").click()
        self.wait(lambda: self.text("#lead-number-error"), "the field does not say what is wrong")
        self.assertEqual(self.one("#lead-number").get_attribute("aria-invalid"), "true")
        self.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        refusals = browser.complaints(self.driver)      # Chromium reports every refused request
        self.assertTrue(all("status of 4" in text for text in refusals), refusals)

    def test_12_pausing_is_said_in_words_until_somebody_resumes(self):
        self.one("#pause-toggle").click()
        self.one("#pause-reason").send_keys("Browser test")
        self.one("#pause-dialog [type=submit]").click()
        self.wait(lambda: "Browser test" in self.text("#banners"), "the banner does not give the reason")
        self.picture("paused")
        self.one("#pause-toggle").click()
        self.wait(lambda: self.text("#banners") == "", "the banner stays after resuming")

    def test_13_a_lost_connection_is_said_in_words_and_found_again(self):
        offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **offline})
        self.wait(lambda: "Connection lost, trying again" in self.text("#banners"), "the page does not say that it is cut off", 30)
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **offline})
        self.wait(lambda: self.text("#banners") == "", "the page does not come back", 40)
        losses = browser.complaints(self.driver)
        self.assertTrue(all("ERR_INTERNET_DISCONNECTED" in text for text in losses), losses)

    def test_14_the_theme_is_remembered(self):
        self.one("#toggle-theme").click()
        theme = self.driver.execute_script("return document.documentElement.dataset.theme")
        self.assertEqual(theme, "dark")
        self.driver.refresh()
        self.assertEqual(self.driver.execute_script("return document.documentElement.dataset.theme"), "dark")
        self.wait(lambda: self.all(".row"), "no leads after reloading")
        self.picture("dark")
        self.one("#toggle-theme").click()

    def test_15_a_phone_shows_cards_and_never_scrolls_sideways(self):
        browser.resize(self.driver, 390, 844)
        self.picture("phone")
        sideways = "return [...document.querySelectorAll(arguments[0])].filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.className || node.tagName)"
        self.assertEqual(self.driver.execute_script(sideways, "html, body, .page"), [])
        self.assertEqual(self.one(".row").value_of_css_property("display"), "grid")
        self.one(".row__name").click()
        self.wait(lambda: self.all(".timeline__step"), "the details do not open")
        self.picture("phone-details")
        self.assertEqual(self.driver.execute_script(sideways, "html, #details-dialog, .panel__body"), [])
        self.driver.execute_script("document.getElementById('details-dialog').close()")
        for opener, dialog in (("#upload-leads", "#upload-dialog"), ("#add-lead", "#lead-dialog")):
            self.one(opener).click()
            self.assertEqual(self.driver.execute_script(sideways, f"html, {dialog}, {dialog} .dialog__body"), [])
            self.driver.execute_script("document.querySelector(arguments[0]).close()", dialog)

    def test_16_no_width_scrolls_sideways(self):
        for width in (360, 600, 768, 820, 1024, 1100, 1280, 1440, 1920):
            browser.resize(self.driver, width, 900)
            time.sleep(0.1)
            with self.subTest(width=width):
                self.assertLessEqual(self.driver.execute_script("return document.documentElement.scrollWidth"), width)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
