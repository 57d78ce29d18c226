"""Requests that schemathesis invents after nginx/openapi.json, against a running Presales with leads, calls and plans.

    python3 invented_requests.py [SECONDS [SEED]]     150 seconds and a new seed unless told

No answer may be a 5xx or one that is not described. A failure names the seed, and the request as a curl command.
"""

import pathlib
import random
import re
import subprocess
import sys
import tempfile

from stack import REPOSITORY, Stack

ENVIRONMENT = {
    "SANDBOX_SPEED": "50",
    "TIMER_PERIODS": "call-orchestrator=5,call-reconciler=60",
    "WHATSAPP_APP_SECRET": "app-secret",
    "WHATSAPP_VERIFY_TOKEN": "verify-token",
}
# What a schema cannot say makes some requests that fit it wrong (a number that no country has, a time that is past, a
# page of another list), and an old tag is answered before a field is read. TRACE is nginx's own, which does not know
# what an address takes.
CONFIGURATION = """
continue-on-failure = true

[cache]
enabled = false

[generation]
database = "none"

[phases.coverage]
unexpected-methods = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "400", "401", "403", "404", "409", "412", "422"]

[checks.negative_data_rejection]
expected-statuses = ["304", "400", "401", "403", "404", "405", "409", "412", "413", "414", "415", "422"]

[checks.not_a_server_error]
expected-statuses = ["1xx", "2xx", "3xx", "4xx"]
"""


def prepare(stack):
    """Some of everything, so that there is something to find and to spoil."""
    rows = "\n".join(f"+9198765{index:05d},Asha {index},,Yocket" for index in range(30))
    assert stack.upload(f"number,name,email,partner\n{rows}\n").json()["rows_added"] == 30
    uuids = [lead["lead_uuid"] for lead in stack.leads().values()]
    stack.post("/api/leads/bulk-call", {"lead_uuids": uuids[:20]})
    now = stack.get("/api/analytics/summary").json()["now"]
    plan = {"lead_uuids": uuids[20:], "schedule_time": now[:11] + "23:00:00" + now[-6:], "parallel_calls": 5, "batch_interval": 60}
    assert stack.post("/api/schedule-bulk-calls", plan).status == 200


def main(seconds="150", seed=None):
    seed = seed or str(random.randrange(1 << 32))
    with Stack("--no-demo", environment=ENVIRONMENT) as stack, tempfile.TemporaryDirectory() as folder:
        prepare(stack)
        secret = re.search("VAPI_WEBHOOK_SECRET=(.+)", (stack.state / "env").read_text())[1]
        account = f'\n[auth.openapi]\nvapiSecret = {{ api_key = "{secret}" }}\n'
        pathlib.Path(folder, "schemathesis.toml").write_text(CONFIGURATION + account)
        print(f"schemathesis for {seconds} s with seed {seed}", flush=True)
        status = subprocess.run(
            [pathlib.Path(sys.executable).with_name("schemathesis"), "run", REPOSITORY / "nginx" / "openapi.json",
             "--url", f"http://127.0.0.1:{stack.port}", "--max-time", seconds, "--seed", seed, "--no-color", "--warnings", "off",
             "--suppress-health-check", "all"],
            cwd=folder,
        ).returncode
        assert stack.get("/health").status == 200
    print(f"seed {seed}: {'nothing found' if status == 0 else 'see above'}")
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
