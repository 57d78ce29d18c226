#!/usr/bin/python3
"""Drives the dashboard of a running server as a person would: uploads leads, calls them, reads what they said.

    BASE_URL=http://127.0.0.1:8080 /usr/bin/python3 Tests/Browser/dashboard_test.py

The server must be a rehearsal (`./deploy.sh local`): its simulated phone network answers by the number's last digit.
Leads are added, never removed, so it may run again on the same server. SEED repeats a run, SCREENSHOTS names a folder for pictures.
"""

import csv
import io
import os
import random
import re
import shutil
import tempfile
import time
import unittest
from pathlib import Path

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import browser

BASE_URL = os.environ.get("BASE_URL", "http://127.0.0.1:8080")
SCREENSHOTS = os.environ.get("SCREENSHOTS")
SEED = int(os.environ.get("SEED", random.randrange(1_000_000)))
INJECTION = "<img src=x onerror=alert(1)>"
CALL_SECONDS = 180

LONG_LIST = 100_000
LISTED_PROBLEMS = 50_000

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
        # An American, who is not called without recorded consent.
        cls.uncalled = (f"Neel {cls.family}", f"+1415{chance.randrange(200, 999)}{chance.randrange(10**4):04d}")
        cls.everybody = sorted([*cls.names, cls.uncalled[0]])
        cls.folder = Path(tempfile.mkdtemp(prefix="presales-browser-"))
        cls.driver = browser.start(downloads=cls.folder)
        cls.driver.get(BASE_URL)
        cls.wait(lambda: cls.text("#health-text") not in ("", "Connecting…"), "the page never heard from its server")

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()
        shutil.rmtree(cls.folder, ignore_errors=True)

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

    def close(self, dialog):
        self.driver.execute_script("document.querySelector(arguments[0]).close()", dialog)
        self.wait(lambda: not self.one(dialog).is_displayed(), f"{dialog} does not close")

    def choose(self, item):
        """Opens the tools and chooses one."""
        self.one("#open-tools").click()
        next(button for button in self.all("#menu button") if button.text == item).click()

    def says(self, words):
        self.wait(lambda: any(words in text for text in self.texts(".toast__message")), f"no message says “{words}”")

    def downloaded(self, name, click):
        """Clicks, waits for a file of that name and reads it as CSV."""
        file = self.folder / name
        file.unlink(missing_ok=True)
        self.driver.execute_script("arguments[0].click()", click)
        self.wait(file.exists, f"{name} was not saved", 30)
        return list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"))))

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
                f"{self.uncalled[0]},{self.uncalled[1]},,Boston",
                f"Too Short {self.family},12,,Pune", f"Twice {self.family},{self.numbers[0]},,Pune"]
        before = self.text("[data-tile=total] .tile__count")
        self.driver.execute_script(DROP, "leads.csv", "\r\n".join(rows) + "\r\n")
        self.wait(lambda: self.all("#upload-confirm"), "there is no preview")
        self.picture("upload-preview")
        self.assertEqual(self.text("#upload-confirm"), "Import 4 leads")
        body = self.text("#upload-body")
        self.assertIn("Not used: City.", body)
        self.assertIn(INJECTION, body)
        self.assertIn("6", self.texts("#upload-body .upload__section td:first-child"), "the line of the bad row is not named")
        self.assertEqual(self.text("[data-tile=total] .tile__count"), before)

    def test_03_confirming_stores_the_good_rows_and_says_so(self):
        self.one("#upload-confirm").click()
        self.wait(lambda: self.all(".upload__done"), "there is no result")
        self.assertIn("4 leads added", self.text(".upload__done"))
        self.one("#upload-foot .btn--primary").click()

    def test_04_rejected_rows_come_back_as_they_were_in_every_character_set(self):
        for charset in ("utf-16", "windows-1252"):
            with self.subTest(charset):
                file = self.folder / f"{charset}.csv"
                file.write_bytes('Name;Mobile\r\n"Zoë; née Müller";12\r\n'.encode(charset))
                self.one("#upload-leads").click()
                self.one("#upload-file").send_keys(str(file))
                self.wait(lambda: self.all("#download-rejected"), "no rejected row is listed")
                rows = self.downloaded(f"{charset}-rejected.csv", self.one("#download-rejected"))
                self.assertEqual(rows[0], ["Name", "Mobile", "line", "problem"])
                self.assertEqual(rows[1][:3], ["Zoë; née Müller", "12", "2"])
                self.assertEqual(len(rows), 2)
                self.close("#upload-dialog")

    def test_05_a_hundred_thousand_rows_do_not_freeze_the_page(self):
        file = self.folder / "long.csv"
        file.write_text("name,number\n" + "".join(f"Nobody {row},12\n" for row in range(LONG_LIST)))
        busy, start = browser.busy_seconds(self.driver), time.monotonic()
        self.one("#upload-leads").click()
        self.one("#upload-file").send_keys(str(file))
        self.wait(lambda: self.all("#upload-confirm"), "there is no preview of a long list", 90)
        self.assertIn("1,00,000", self.text(".verdict[data-tone=bad]"))
        self.assertIn(f"Only the first {LISTED_PROBLEMS:,} problems", self.text("#upload-body"))
        rows = self.downloaded("long-rejected.csv", self.one("#download-rejected"))
        self.assertEqual(len(rows), 1 + LISTED_PROBLEMS)
        self.assertEqual(rows[-1][:3], [f"Nobody {LISTED_PROBLEMS - 1}", "12", str(LISTED_PROBLEMS + 1)])
        busy = browser.busy_seconds(self.driver) - busy
        self.assertLess(busy, (time.monotonic() - start) / 3, "the page was busy itself instead of answering clicks")
        self.close("#upload-dialog")

    def test_06_slash_searches_and_finds_the_new_leads(self):
        self.one("body").send_keys("/")
        self.driver.switch_to.active_element.send_keys(self.family)
        self.wait(lambda: sorted(self.texts(".row__name")) == self.everybody, "the search does not show the new leads")
        number = self.numbers[0]
        self.assertIn(f"{number[:3]} {number[3:8]} {number[8:]}", self.texts(".row__number"))

    def test_07_a_name_that_looks_like_markup_stays_text(self):
        self.assertIn(self.names[2], self.texts(".row__name"))
        self.assertEqual(self.all("#rows img, #upload-body img"), [])

    def test_08_a_refresh_keeps_rows_focus_and_selection(self):
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

    def test_09_shift_selects_everything_in_between(self):
        boxes = self.all(".row .checkbox")
        self.one("#clear-selection").click()
        ActionChains(self.driver).click(boxes[0]).key_down(Keys.SHIFT).click(boxes[2]).key_up(Keys.SHIFT).perform()
        self.assertEqual(self.text("#selection-count"), "3 leads selected")
        self.one("#clear-selection").click()

    def test_10_a_schedule_is_summed_up_and_previewed_before_it_is_sent(self):
        self.one("#select-page").click()
        self.one("#schedule-selected").click()
        self.driver.execute_script("""
            const [day] = document.getElementById("schedule-time").value.split("T");
            for (const [id, value] of [["schedule-time", `${day}T19:00`], ["schedule-parallel", 2], ["schedule-interval", 120]]) {
                document.getElementById(id).value = value;
                document.getElementById(id).dispatchEvent(new Event("input", { bubbles: true }));
            }
        """)
        plan = " ".join(self.texts("#schedule-plan dd"))
        self.assertIn("2, one every 2 min", plan)
        self.assertIn("7:04 PM IST", plan)
        self.wait(lambda: self.all("#schedule-preview .verdict"), "there is no preview")
        self.assertEqual(self.texts("#schedule-preview .verdict"), ["3will be called", "1will not be called"])
        self.assertIn("1 lead: no recorded consent", self.text("#schedule-preview .reasons"))
        self.one("#schedule-preview summary").click()
        times = self.texts("#schedule-preview td:last-child")
        self.assertIn("consent", times[0], "those that will not be called come first")
        self.assertRegex(times[1], r"7:00 PM IST$")
        self.assertEqual(browser.faint(self.driver), [])
        self.picture("schedule")
        self.one("#schedule-dialog [type=submit]").click()
        self.says("calls scheduled for")

    def test_11_a_schedule_is_held_goes_on_and_is_called_off(self):
        self.choose("Scheduled calls")
        part = lambda name: self.one(f".schedule:first-child [data-part={name}]")
        self.wait(lambda: self.all(".schedule"), "the schedule is not listed")
        self.picture("schedules")
        part("hold").click()
        self.wait(lambda: part("status").text == "Paused", "the schedule is not held")
        self.wait(lambda: self.driver.switch_to.active_element == part("resume"), "the focus is lost")
        part("resume").click()
        self.wait(lambda: part("status").text == "Pending", "the schedule does not go on")
        part("cancel").click()
        self.one("#confirm-action").click()
        self.says("cancelled, 0 were already dialed")
        self.wait(lambda: part("status").text == "Cancelled", "the schedule is not called off")
        self.assertFalse(part("hold").is_displayed())
        self.close("#schedules-dialog")

    def test_12_a_callback_is_promised_for_the_servers_time(self):
        next(row for row in self.all(".row") if self.names[0] in row.text).find_element(By.CSS_SELECTOR, "[aria-haspopup]").click()
        next(button for button in self.all("#menu button") if button.text == "Schedule a callback").click()
        next(button for button in self.all("#callback-dialog .choice") if button.text.startswith("Tomorrow")).click()
        self.picture("callback")
        self.one("#callback-dialog [type=submit]").click()
        self.says("10:30 AM IST")
        self.wait(lambda: any("10:30 AM IST" in text for text in self.texts(".cell--next")), "the table does not show the promise")

    def test_13_a_bulk_call_reaches_all_that_may_be_called_and_says_who_may_not(self):
        self.one("#select-page").click()
        self.assertEqual(self.text("#selection-count"), "4 leads selected")
        self.picture("selected")
        self.one("#call-selected").click()
        self.wait(lambda: any("not called" in text for text in self.texts(".toast__message")), "no sentence says who is not called")
        self.assertIn("consent", " ".join(self.texts(".toast__detail")))
        self.wait(lambda: sorted(self.texts(".row .cell--status .pill")) == ["Completed"] * 3 + ["Pending"],
                  "the three leads were not completed", CALL_SECONDS)
        self.assertFalse(self.one("#selection").is_displayed(), "the selection outlived the call")

    def test_14_the_details_show_the_conversation_and_the_reasons(self):
        # Anywhere in the row will do for the pointer.
        next(row for row in self.all(".row") if self.names[1] in row.text).find_element(By.CSS_SELECTOR, ".row__number").click()
        self.wait(lambda: self.all(".bubble[data-side=agent]") and self.all(".bubble[data-side=lead]"), "there is no conversation")
        self.picture("details")
        agent, lead = self.one(".bubble[data-side=agent]").rect, self.one(".bubble[data-side=lead]").rect
        self.assertLess(agent["x"], lead["x"])
        self.assertEqual(self.text(".bubble[data-side=agent] .bubble__speaker"), "Eshwari")
        self.assertIn("Completed", self.texts(".panel__pills .pill"))
        self.assertEqual(browser.faint(self.driver), [])
        self.one("#tab-calls").click()
        self.assertRegex(self.text(".call__head"), r"\d{4}, \d{1,2}:\d\d [AP]M IST")
        self.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
        self.assertEqual(self.driver.switch_to.active_element.get_attribute("id"), "tab-journey")
        self.assertTrue(all(self.texts(".timeline__reason")) and self.all(".timeline__step"), "a decision has no reason")

    def test_15_the_journey_is_drawn_with_the_leads_own_way(self):
        taken = self.texts(".graph__node--taken, .graph__node--last")
        self.assertEqual(taken, ["Started", "Call", "Outcome", "Finished"])
        self.assertEqual(self.texts(".graph__word--taken"), ["Spoken to"])
        self.assertIn("This lead's way: Started, Call, Outcome", self.one(".graph").get_attribute("aria-label"))
        self.picture("journey")
        self.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        self.wait(lambda: not self.one("#details-dialog").is_displayed(), "Escape does not close the details")
        self.choose("Journey of a lead")
        self.wait(lambda: self.all("#journey .graph__node"), "the journey is not drawn")
        self.assertEqual(self.all("#journey .graph__node--taken"), [])
        self.close("#journey-dialog")

    def test_16_the_tools_work_by_keyboard_alone(self):
        opener = self.one("#open-tools")
        opener.send_keys(Keys.ENTER)
        focused = lambda: self.driver.switch_to.active_element
        self.wait(lambda: focused().text == "Scheduled calls", "the menu does not take the focus")
        focused().send_keys(Keys.ARROW_DOWN)
        self.assertEqual(focused().text, "Retries")
        focused().send_keys(Keys.ESCAPE)
        self.wait(lambda: focused() == opener, "the focus does not return to the button")

    def test_17_retry_settings_are_said_in_a_sentence_and_kept(self):
        self.choose("Retries")
        intervals = self.one("#retry-intervals")
        self.wait(intervals.is_displayed, "the settings do not open")
        before = intervals.get_attribute("value")
        for value, sentence in (("2, 5", "2, 5 and 5 hours"), (before, "")):
            intervals.clear()
            intervals.send_keys(value)
            self.assertIn(sentence, self.text("#retry-sentence"))
            self.one("#retry-dialog [type=submit]").click()
            self.wait(lambda: not self.one("#retry-dialog").is_displayed(), "the settings are not saved")
            self.choose("Retries")
            self.wait(intervals.is_displayed, "the settings do not open again")
            self.assertEqual(intervals.get_attribute("value"), value)
        self.close("#retry-dialog")

    def test_18_the_proof_of_opt_outs_is_a_file(self):
        self.one("#open-tools").click()
        item = next(button for button in self.all("#menu button") if button.text == "Opt-outs as CSV")
        self.assertGreaterEqual(len(self.downloaded("opt-outs.csv", item)), 1)

    def test_19_a_mistake_is_explained_at_its_field(self):
        self.one("#add-lead").click()
        self.one("#lead-name").send_keys("Somebody")
        self.one("#lead-number").send_keys("12x")
        self.one("#lead-dialog [type=submit]").click()
        self.wait(lambda: self.text("#lead-number-error"), "the field does not say what is wrong")
        self.assertEqual(self.one("#lead-number").get_attribute("aria-invalid"), "true")
        self.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        refusals = browser.complaints(self.driver)      # Chromium reports every refused request
        self.assertTrue(all("status of 4" in text for text in refusals), refusals)

    def test_20_pausing_is_said_in_words_until_somebody_resumes(self):
        self.one("#pause-toggle").click()
        self.one("#pause-reason").send_keys("Browser test")
        self.one("#pause-dialog [type=submit]").click()
        self.wait(lambda: "Browser test" in self.text("#banners"), "the banner does not give the reason")
        self.picture("paused")
        self.one("#pause-toggle").click()
        self.wait(lambda: self.text("#banners") == "", "the banner stays after resuming")

    def test_21_one_partner_is_paused_while_the_others_are_called(self):
        self.one("#pause-toggle").click()
        partner = self.one("#pause-partner option:nth-child(2)").get_attribute("value")
        self.driver.execute_script("document.getElementById('pause-partner').value = arguments[0]", partner)
        self.one("#pause-dialog [type=submit]").click()
        self.wait(lambda: f"Calls to leads of {partner} are paused" in self.text("#banners"), "no banner says who is paused")
        self.assertEqual(self.text("#pause-toggle"), "Pause calls")
        self.assertEqual(browser.faint(self.driver), [])
        self.one("#banners button").click()
        self.wait(lambda: self.text("#banners") == "", "the partner stays paused")

    def test_22_a_lost_connection_is_said_in_words_and_found_again(self):
        offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **offline})
        self.wait(lambda: "Connection lost, trying again" in self.text("#banners"), "the page does not say that it is cut off", 30)
        self.one(".row__name").click()
        self.wait(lambda: "cannot be reached" in self.text(".panel__trouble"), "the details do not say why they are empty")
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **offline})
        self.wait(lambda: self.text("#banners") == "", "the page does not come back", 40)
        self.wait(lambda: self.all(".facts-card") and not self.one(".panel__trouble").is_displayed(), "the details do not come back")
        self.close("#details-dialog")
        losses = browser.complaints(self.driver)
        self.assertTrue(all("ERR_INTERNET_DISCONNECTED" in text for text in losses), losses)

    def test_23_the_theme_is_remembered(self):
        self.one("#toggle-theme").click()
        theme = self.driver.execute_script("return document.documentElement.dataset.theme")
        self.assertEqual(theme, "dark")
        self.driver.refresh()
        self.assertEqual(self.driver.execute_script("return document.documentElement.dataset.theme"), "dark")
        self.wait(lambda: self.all(".row"), "no leads after reloading")
        self.assertEqual(browser.faint(self.driver), [])
        self.picture("dark")
        self.one("#toggle-theme").click()

    def test_24_a_phone_shows_cards_and_never_scrolls_sideways(self):
        browser.resize(self.driver, 390, 844)
        self.picture("phone")
        sideways = "return [...document.querySelectorAll(arguments[0])].filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.className || node.tagName)"
        self.assertEqual(self.driver.execute_script(sideways, "html, body, .page"), [])
        self.assertEqual(self.one(".row").value_of_css_property("display"), "grid")
        self.one(".row__name").click()
        self.wait(lambda: self.all(".facts-card:not([hidden])"), "the details do not open")
        self.picture("phone-details")
        self.assertEqual(self.driver.execute_script(sideways, "html, #details-dialog, .panel__body"), [])
        self.close("#details-dialog")
        for opener, dialog in (("#upload-leads", "#upload-dialog"), ("#add-lead", "#lead-dialog")):
            self.one(opener).click()
            self.assertEqual(self.driver.execute_script(sideways, f"html, {dialog}, {dialog} .dialog__body"), [])
            self.close(dialog)

    def test_25_no_width_scrolls_sideways(self):
        for width in (360, 600, 768, 820, 1024, 1100, 1152, 1280, 1360, 1440, 1480, 1920):
            browser.resize(self.driver, width, 900)
            self.wait(lambda: self.driver.execute_script("return innerWidth") == width, "the window does not change")
            with self.subTest(width=width):
                self.assertLessEqual(self.driver.execute_script("return document.documentElement.scrollWidth"), width)
                self.assertLessEqual(self.one("#table").rect["width"], self.one("#table-card").rect["width"])


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
