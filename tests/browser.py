"""A headless Chromium, driven through ChromeDriver's own protocol (W3C WebDriver) with the standard library alone."""

import base64
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
ABSENT = "Chromium is not installed: apt install chromium chromium-driver"

SCREENSHOTS = Path(__file__).parents[1] / ".screenshots"
WIDE, NARROW = 1280, 420
"""Widths at which pages are looked at, in pixels."""

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)

_PLOTS = "return [...document.querySelectorAll('.plot')].filter(e => e.querySelector('.main-svg')).map(e => e.id)"


class Browser:
    """One browser with one window.

    Parameters
    ----------
    folder : Path
        Where the profile of the browser lives.
    """

    def __init__(self, folder):
        self._driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self._driver.stdout:
            if "started successfully on port" in line:
                self._base = f"http://127.0.0.1:{line.strip().rstrip('.').split()[-1]}"
                break
        else:
            raise AssertionError("ChromeDriver does not start; it needs room in virtual memory (ulimit -v)")
        flags = [*_FLAGS, f"--user-data-dir={folder}", "--window-size=1200,900"]
        options = {"binary": CHROMIUM, "args": flags}
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        answer = self._post("/session", {"capabilities": {"alwaysMatch": capabilities}})
        self._base += f"/session/{answer['sessionId']}"
        self.prefer("light")
        self.resize(WIDE)

    def open(self, path):
        """Load a file and wait until its plots are drawn."""
        self._post("/url", {"url": Path(path).resolve().as_uri()})
        self.run_async("(typeof plots === 'undefined' ? Promise.resolve() : plots.ready)")

    def run(self, script, *arguments):
        """Return what a script returns."""
        return self._post("/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, promise):
        """Return what a promise (an expression) is fulfilled with."""
        script = (
            f"const done = arguments[0]; {promise}.then((value) => done(String(value)), (error) => done('' + error))"
        )
        return self._post("/execute/async", {"script": script, "args": []})

    def type(self, selector, keys):
        """Type into an element; ``\\ue007`` is Enter."""
        self._post(f"/element/{self._find(selector)}/value", {"text": keys})

    def complaints(self):
        """Return what the console has said since it was last asked."""
        return [entry["message"] for entry in self._post("/se/log", {"type": "browser"})]

    def requests(self):
        """Return the addresses that were asked for since the last call, but for the page itself and data in it."""
        messages = (json.loads(entry["message"])["message"] for entry in self._post("/se/log", {"type": "performance"}))
        sent = (each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent")
        return [url for url in sent if not url.startswith(("file:", "data:", "blob:", "chrome:"))]

    def prefer(self, scheme):
        """Change what the user prefers, ``light`` or ``dark``, while the page is shown."""
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}, still]}
        self.devtools("Emulation.setEmulatedMedia", media)

    def click(self, selector, across=0.5, down=0.5):
        """Click inside of an element, at fractions of its width and height, as a hand with a mouse does."""
        script = (
            "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center', behavior: 'instant'});"
        )
        box = self.run(
            script + "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]", selector
        )
        place = {"x": box[0] + across * box[2], "y": box[1] + down * box[3]}
        pressed = {**place, "button": "left", "clickCount": 1}
        self.devtools("Input.dispatchMouseEvent", {"type": "mouseMoved", **place})
        self.run_async("new Promise((done) => setTimeout(done, 150))")
        self.devtools("Input.dispatchMouseEvent", {"type": "mousePressed", **pressed})
        self.devtools("Input.dispatchMouseEvent", {"type": "mouseReleased", **pressed})

    def wait_for(self, condition):
        """Wait until a JavaScript expression holds; return whether it does within ten seconds."""
        loop = f"(async () => {{ for (let i = 0; i < 200; i += 1) {{ if ({condition}) return true;"
        return self.run_async(f"{loop} await new Promise((d) => setTimeout(d, 50)); }} return false; }})()") == "true"

    def resize(self, width):
        """Show pages at another width."""
        shape = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == NARROW}
        self.devtools("Emulation.setDeviceMetricsOverride", shape)

    def look(self, path, name="", keep=False, widths=(NARROW, WIDE)):
        """Open a page, wide and narrow, and return the identifiers of the plots on it.

        Nothing may complain, nothing be asked of others, and nothing stick out to the right. Kept pictures are left in
        ``.screenshots``, light and dark.
        """
        self.complaints()
        self.requests()
        self.prefer("light")
        for width in widths:
            self.resize(width)
            self.open(path)
            assert self.run("return document.documentElement.scrollWidth") <= width, f"{name} is wider than {width}"
            for scheme in ("light", "dark") if keep else ():
                self.prefer(scheme)
                SCREENSHOTS.mkdir(exist_ok=True)
                self.screenshot(SCREENSHOTS / f"{name.replace('/', '-')}-{width}-{scheme}.png")
            self.prefer("light")
        assert self.complaints() == []
        assert self.requests() == []
        return set(self.run(_PLOTS))

    def screenshot(self, path):
        """Write a picture of the whole page."""
        answer = self.devtools("Page.captureScreenshot", {"captureBeyondViewport": True})
        Path(path).write_bytes(base64.b64decode(answer["data"]))

    def devtools(self, command, parameters):
        """Send a command of the DevTools protocol."""
        return self._post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def close(self):
        """End the browser."""
        request = urllib.request.Request(self._base, method="DELETE")
        with urllib.request.urlopen(request, timeout=30):
            pass
        self._driver.terminate()
        self._driver.wait(30)
        self._driver.stdout.close()

    def _find(self, selector):
        return next(iter(self._post("/element", {"using": "css selector", "value": selector}).values()))

    def _post(self, path, body):
        request = urllib.request.Request(
            self._base + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None
