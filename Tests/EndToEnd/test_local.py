"""`./deploy.sh local`: what it starts, keeps running, and ends."""

import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from stack import FUNCTIONS, Stack, eventually, free_ports, is_alive, refused


class Running(unittest.TestCase):
    """What one Presales does while it runs."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack("--no-demo")
        cls.addClassCleanup(cls.stack.stop)

    def healthy(self):
        try:
            return self.stack.get("/health").status == 200
        except OSError:
            return False

    def test_health_answers_with_the_time(self):
        answer = self.stack.get("/health")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["status"], "ok")
        self.assertRegex(answer.json()["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+]05:30$")

    def test_it_listens_on_the_loopback_address_only(self):
        listening = "0A"
        ports = {f"{self.stack.port:04X}", f"{self.stack.port + 1:04X}"}
        found = set()
        for table in ["/proc/net/tcp", "/proc/net/tcp6"]:
            for line in pathlib.Path(table).read_text().splitlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                address, port = local.split(":")
                if port in ports and state == listening:
                    found.add(address)
        self.assertEqual(found, {"0100007F"})

    def test_nobody_else_can_read_what_it_keeps(self):
        for path in [self.stack.state, self.stack.state / "run", self.stack.state / "log"]:
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o700, path)
        for path in [self.stack.state / "env", self.stack.state / "run" / "leads.sock"]:
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)

    def test_no_secret_stands_in_a_command_line(self):
        lines = (self.stack.state / "env").read_text().splitlines()
        secrets = [line.split("=", 1)[1] for line in lines if "=" in line and not line.startswith("#")]
        self.assertEqual(len(secrets), 4)
        for pid in self.stack.processes():
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            for secret in secrets:
                self.assertNotIn(secret, command)

    def test_nothing_it_started_holds_its_lock(self):
        """Else a survivor would keep a new start out after the script was killed."""
        held = self.stack.state / "run" / "lock"
        for pid in self.stack.processes() - {self.stack.process.pid}:
            for descriptor in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
                self.assertNotEqual(os.path.realpath(descriptor), str(held), pid)

    def test_a_killed_function_comes_back_before_anybody_notices(self):
        for name in ["health", "leads"]:
            before = self.stack.pid(name)
            os.kill(before, signal.SIGKILL)
            self.assertTrue(self.healthy())
            after = eventually(lambda: self.stack.pid(name) if self.stack.pid(name) != before else None, 5)
            self.assertTrue(is_alive(after))

    def test_twenty_kills_in_a_row_lose_nothing_but_what_was_being_answered(self):
        failures, done = [], threading.Event()

        def ask():
            while not done.is_set():
                answer = self.stack.get("/health").status
                if answer != 200:
                    failures.append(answer)

        asking = threading.Thread(target=ask)
        asking.start()
        for _ in range(20):
            os.kill(self.stack.pid("health"), signal.SIGKILL)
            time.sleep(0.1)
        done.set()
        asking.join()
        self.assertLessEqual(len(failures), 20)
        self.assertTrue(self.healthy())

    def test_whatever_else_is_killed_comes_back_too(self):
        holder = int(pathlib.Path(f"/proc/{self.stack.pid('health')}/stat").read_text().rpartition(")")[2].split()[1])
        for name, pid in [("holder", holder), ("nginx", self.stack.pid("nginx")), ("sandbox", self.stack.pid("sandbox"))]:
            with self.subTest(name):
                os.kill(pid, signal.SIGKILL)
                eventually(lambda: not is_alive(pid))
                eventually(self.healthy, 10)
                if name != "holder":
                    eventually(lambda: is_alive(self.stack.pid(name)))

    def test_a_touched_trigger_starts_its_timer_within_two_seconds(self):
        for name in ["call-orchestrator", "call-reconciler"]:
            trigger = self.stack.state / "triggers" / name
            log = self.stack.state / "log" / f"{name}.log"
            eventually(lambda: log.exists() and log.stat().st_size)  # the run at the start
            before = log.stat().st_size
            trigger.touch()
            eventually(lambda: log.stat().st_size > before, 2.5, 0.05)
            self.assertFalse(trigger.exists())

    def test_a_second_start_on_the_same_folder_is_refused_in_one_sentence(self):
        status, message = refused("--state", str(self.stack.state), "--port", str(free_ports()))
        self.assertEqual(status, 1)
        self.assertIn("is running on", message)
        self.assertEqual(message.count("\n"), 1)
        self.assertTrue(self.healthy())

    def test_a_busy_port_is_refused_in_one_sentence(self):
        with tempfile.TemporaryDirectory() as folder:
            status, message = refused("--state", folder, "--port", str(self.stack.port))
        self.assertEqual((status, message), (1, f"Port {self.stack.port} is in use by another program: choose another with --port.\n"))


class Ending(unittest.TestCase):
    """How it ends, and what it leaves alone."""

    def test_a_signal_ends_everything_it_started_and_nothing_else(self):
        stranger = subprocess.Popen(["sleep", "600"])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        other = Stack("--no-demo")
        self.addCleanup(other.stop)
        for how in [signal.SIGINT, signal.SIGTERM]:
            with self.subTest(how.name):
                stack = Stack("--no-demo")
                started = stack.processes()
                self.assertGreater(len(started), 2 * len(FUNCTIONS))
                begun = time.monotonic()
                self.assertEqual(stack.stop(how), 0)
                self.assertLess(time.monotonic() - begun, 10)
                self.assertEqual([pid for pid in started if is_alive(pid)], [])
                for port in [stack.port, stack.port + 1]:
                    with socket.socket() as connection:
                        self.assertNotEqual(connection.connect_ex(("127.0.0.1", port)), 0)
        self.assertIsNone(stranger.poll())
        self.assertEqual(other.get("/health").status, 200)

    def test_killing_the_script_leaves_no_orphans(self):
        stack = Stack("--no-demo")
        self.addCleanup(stack.forget)
        started = stack.processes()
        self.assertEqual(stack.stop(signal.SIGKILL), -signal.SIGKILL)
        eventually(lambda: not any(is_alive(pid) for pid in started), 10)

    def test_the_state_folder_can_be_used_again(self):
        with tempfile.TemporaryDirectory(prefix="presales-") as folder:
            with Stack("--no-demo", state=folder) as first:
                secrets = (first.state / "env").read_text()
            with Stack("--no-demo", state=folder) as second:
                self.assertEqual((second.state / "env").read_text(), secrets)
                self.assertEqual(second.get("/health").status, 200)


class Starting(unittest.TestCase):
    """What it says when it cannot start; each time one sentence and exit 1."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="presales-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def refusal(self, *options, environment=None):
        status, message = refused(
            "--state", str(self.folder / "state"), "--port", str(free_ports()), *options, environment=environment
        )
        self.assertEqual(status, 1, message)
        self.assertEqual(message.count("\n"), 1, message)
        return message

    def test_unknown_options_and_values(self):
        for options, words in [
            (["--prot", "1"], "does not know --prot"),
            (["--port"], "--port needs a value"),
            (["--port", "http"], "--port must be a number"),
            (["--port", "65535"], "--port must be a number"),
            (["--env", "/nowhere/at/all"], "cannot be read"),
        ]:
            with self.subTest(options):
                self.assertIn(words, self.refusal(*options))

    def test_a_settings_file_with_a_line_that_is_no_setting(self):
        file = self.folder / "settings"
        file.write_text("# fine\nRETRY_UNITS=hours\nRETRY UNITS\n")
        self.assertIn(f"Line 3 of {file} must read NAME=value.", self.refusal("--env", str(file)))

    def test_timer_periods_that_make_no_sense(self):
        for value in ["call-orchestrator", "call-orchestrator=0", "call-orchestrator=soon"]:
            with self.subTest(value):
                self.assertIn("TIMER_PERIODS must read", self.refusal(environment={"TIMER_PERIODS": value}))

    def test_a_path_too_long_for_sockets(self):
        deep = self.folder / ("d" * 90)
        self.assertIn("too long for sockets", self.refusal("--state", str(deep)))

    def test_no_swift_toolchain(self):
        message = self.refusal(environment={"PRESALES_BIN": "", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        self.assertIn("needs Swift", message)

    def test_a_function_that_refuses_its_configuration(self):
        status, message = refused(
            "--state", str(self.folder / "state"), "--port", str(free_ports()), "--no-demo",
            environment={"TIMEZONE": "Asia/Nowhere"},
        )
        self.assertEqual(status, 1)
        self.assertIn("TIMEZONE", message.splitlines()[-1])


class Settings(unittest.TestCase):
    """Where the settings come from."""

    def environment_of(self, stack, name):
        entries = pathlib.Path(f"/proc/{stack.pid(name)}/environ").read_bytes().split(b"\0")
        return dict(entry.decode().split("=", 1) for entry in entries if b"=" in entry)

    def test_the_file_wins_over_the_environment_and_that_over_the_sandbox(self):
        with tempfile.NamedTemporaryFile("w", suffix=".env") as file:
            file.write(
                '# mine\nexport VAPI_WEBHOOK_SECRET="with spaces"\r\n\nRETRY_UNITS=hours  \n'
                "TIMER_PERIODS=call-orchestrator=1\nVAPI_BASE_URL=https://api.vapi.ai\n"
            )
            file.flush()
            with Stack("--no-demo", "--env", file.name, environment={"VAPI_API_KEY": "mine", "RETRY_UNITS": "days"}) as stack:
                told = self.environment_of(stack, "leads")
                self.assertEqual(told["VAPI_WEBHOOK_SECRET"], "with spaces")
                self.assertEqual(told["RETRY_UNITS"], "hours")
                self.assertEqual(told["VAPI_API_KEY"], "mine")
                self.assertEqual(told["VAPI_CONCURRENT_LIMIT"], "5")
                # A rehearsal never calls the real provider, whatever the file says.
                self.assertEqual(told["VAPI_BASE_URL"], f"http://127.0.0.1:{stack.port + 1}")
                self.assertEqual(told["PUBLIC_URL"], f"http://127.0.0.1:{stack.port}")

    def test_without_the_sandbox_time_is_real_and_nothing_is_invented(self):
        # Nothing answers at that address: a test must not reach the real one.
        account = {
            "VAPI_API_KEY": "mine", "VAPI_ASSISTANT_ID": "a", "VAPI_PHONE_NUMBER_ID": "p", "VAPI_BASE_URL": "http://127.0.0.1:9"
        }
        with Stack("--no-sandbox", environment=account) as stack:
            told = self.environment_of(stack, "leads")
            self.assertEqual({name: told[name] for name in account}, account)
            for name in ["VAPI_WEBHOOK_SECRET", "CLOCK_OFFSET_FILE", "SANDBOX_PORT"]:
                self.assertNotIn(name, told)
            self.assertFalse((stack.state / "env").exists())
            self.assertEqual(stack.get("/health").status, 200)


if __name__ == "__main__":
    unittest.main()
