#!/usr/bin/python3
"""Takes the README's picture of the dashboard, nginx/dashboard.png, in the middle of a morning of simulated calls.

    python3 Tests/EndToEnd/stack.py python3 Tests/Browser/picture.py
"""

import base64
import collections
import os
import struct
import zlib
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import browser

BASE_URL = os.environ.get("BASE_URL", "http://127.0.0.1:8080")
FILE = Path(__file__).resolve().parents[2] / "nginx" / "dashboard.png"
WIDTH, HEIGHT = 1440, 900

# Enough conversations to look at while the lines are still busy.
IS_BUSY = """
const count = (tile) => Number(document.querySelector(`[data-tile=${tile}] .tile__count`).textContent);
return count("completed") >= 9 && count("lost") >= 2 && count("live") >= 3 && count("live") <= 5;
"""


def main():
    driver = browser.start()
    try:
        driver.get(f"{BASE_URL}#sort=name")
        wait = WebDriverWait(driver, 180, poll_frequency=0.3)
        wait.until(lambda page: page.find_elements(By.CSS_SELECTOR, ".row .checkbox"), "there are no leads")
        driver.find_element(By.CSS_SELECTOR, "#select-page").click()
        driver.find_element(By.CSS_SELECTOR, "#call-selected").click()
        wait.until(lambda page: page.execute_script(IS_BUSY), "the calls were over too soon")
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                               {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1.5, "mobile": False})
        # Nothing moves in a picture, and messages are for those who have just done something.
        driver.execute_script("for (const toast of document.querySelectorAll('.toast')) toast.remove(); document.activeElement.blur();")
        wait.until(lambda page: not page.find_elements(By.CSS_SELECTOR, ".row--changed:not(:hover)") or page.execute_script(
            "return document.getAnimations().every((animation) => animation.animationName !== 'row-changed' || animation.playState === 'finished')"))
        picture = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": False})
        FILE.write_bytes(with_palette(base64.b64decode(picture["data"])))
        print(f"{FILE.name}: {FILE.stat().st_size / 1024:.0f} KB")
    finally:
        driver.quit()


def with_palette(png):
    """Returns the same picture with the 256 colours that it uses most; the others are shades at the edges of letters."""
    width, height, channels, rows = pixels(png)
    colours = collections.Counter()
    lines = []
    for row in rows:
        line = list(zip(*(row[channel::channels] for channel in range(3))))
        colours.update(line)
        lines.append(line)
    palette = [colour for colour, _ in colours.most_common(256)]
    index = {colour: place for place, colour in enumerate(palette)}
    for colour in colours:
        if colour not in index:
            index[colour] = min(range(len(palette)), key=lambda place: sum((one - other) ** 2 for one, other in zip(colour, palette[place])))
    content = b"".join(b"\0" + bytes(index[colour] for colour in line) for line in lines)
    return b"\x89PNG\r\n\x1a\n" + b"".join([
        chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        chunk(b"PLTE", bytes(part for colour in palette for part in colour)),
        chunk(b"IDAT", zlib.compress(content, 9)), chunk(b"IEND", b"")])


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def pixels(png):
    """Returns width, height, channels and the rows of an 8-bit picture, as Chromium writes it (PNG 1.2, section 6)."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8 and kind in (2, 6), "the picture is not of 8 bits a channel"
    channels = 3 if kind == 2 else 4
    packed, place = b"", 8
    while place < len(png):
        length, name = struct.unpack(">I4s", png[place:place + 8])
        if name == b"IDAT":
            packed += png[place + 8:place + 8 + length]
        place += 12 + length
    data, size = zlib.decompress(packed), width * channels
    rows, before = [], bytearray(size)
    for start in range(0, len(data), size + 1):
        filtering, row = data[start], bytearray(data[start + 1:start + 1 + size])
        for at in range(size if filtering else 0):
            left, above, corner = (row[at - channels], before[at], before[at - channels]) if at >= channels else (0, before[at], 0)
            if filtering == 1:
                guess = left
            elif filtering == 2:
                guess = above
            elif filtering == 3:
                guess = (left + above) // 2
            else:
                guess = min((left, above, corner), key=lambda value: abs(left + above - corner - value))
            row[at] = (row[at] + guess) & 255
        rows.append(row)
        before = row
    return width, height, channels, rows


if __name__ == "__main__":
    main()
